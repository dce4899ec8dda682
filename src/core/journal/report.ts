// The report of `stats`: the journal's rows and the kernel's drops, by network.

import {
  addressBytes,
  type IpAddress,
  parseAddress,
  prefixContains,
  renderPrefix,
} from "../model/address.ts";
import type { GuardedNetwork } from "../model/guarded-network.ts";
import type { LookupRow, NetworkStats, StatsReport } from "../model/report.ts";
import type { Topology } from "../model/topology.ts";
import { type DatedEntry, dropRows } from "./drops.ts";
import { type LookupJournal, type LookupTally, othersLabel } from "./lookups.ts";

export interface ReportInput {
  readonly topology: Topology;
  readonly guarded: readonly GuardedNetwork[];
  readonly journal: LookupJournal;
  readonly denied: readonly DatedEntry[];
  readonly nowMs: number;
}

/** Every guarded network, by name, quiet ones too. */
export function buildReport(input: ReportInput): StatsReport {
  const { topology, guarded, journal, denied, nowMs } = input;
  journal.learn(topology);
  const lookups = Map.groupBy(journal.tallies(nowMs), (tally) => tally.networkId);
  const drops = Map.groupBy(denied, networkFinder(guarded));
  const networks = guarded.map((network): NetworkStats => {
    return {
      network: network.name,
      mode: network.labels.mode,
      subnets: network.subnets.map(renderPrefix),
      lookups: lookupRows(lookups.get(network.id) ?? []),
      drops: byAddress(dropRows(drops.get(network.id) ?? [], dropNames(journal, network.id))),
    };
  });
  return { generatedAtMs: nowMs, networks: networks.sort((a, b) => compareText(a.network, b.network)) };
}

function lookupRows(tallies: readonly LookupTally[]): LookupRow[] {
  const rows = tallies
    .toSorted((a, b) => compareDomains(a.domain, b.domain) || Number(b.allowed) - Number(a.allowed))
    .map(({ asker, container, domain, allowed, trouble, count, lastSeenMs }) => {
      const row = { address: asker, container, domain, allowed, count, lastSeenMs };
      return trouble === undefined ? row : { ...row, trouble };
    });
  return byAddress(rows);
}

/** Which guarded network an asker belongs to; undefined for none (any more). */
function networkFinder(guarded: readonly GuardedNetwork[]): (entry: DatedEntry) => string | undefined {
  const found = new Map<IpAddress, string | undefined>();
  return ({ asker }) => {
    if (!found.has(asker)) {
      const network = guarded.find(({ subnets }) => subnets.some((subnet) => prefixContains(subnet, asker)));
      found.set(asker, network?.id);
    }
    return found.get(asker);
  };
}

function dropNames(journal: LookupJournal, networkId: string): Parameters<typeof dropRows>[1] {
  const granted = new Map<IpAddress, ReadonlyMap<string, string>>();
  return {
    containerOf: (asker) => journal.containerAt(networkId, asker),
    domainOf: (asker, destination) => {
      const names = granted.get(asker) ?? journal.grantedNames(networkId, asker);
      granted.set(asker, names);
      return names.get(destination);
    },
  };
}

/** Sorted by address as a number: IPv4 first, anything that is not an address last; a stable sort. */
function byAddress<Row extends { readonly address: string }>(rows: readonly Row[]): Row[] {
  const keys = new Map<string, string>();
  for (const { address } of rows) if (!keys.has(address)) keys.set(address, sortKey(address));
  return rows.toSorted((a, b) => compareText(keys.get(a.address) ?? "", keys.get(b.address) ?? ""));
}

function sortKey(text: string): string {
  const address = parseAddress(text);
  if (address === undefined) return "~";
  const bytes = addressBytes(address);
  return `${bytes.length === 4 ? 4 : 6}${Buffer.from(bytes).toString("hex")}`;
}

/** By name; the row that stands for many names comes last. */
function compareDomains(a: string, b: string): number {
  return Number(a === othersLabel) - Number(b === othersLabel) || compareText(a, b);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
