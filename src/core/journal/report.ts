// The report of `stats`: the journal's rows and the kernel's drops, by network.

import { addressBytes, type IpAddress, parseAddress, renderPrefix } from "../model/address.ts";
import { type GuardedNetwork, networkFinder } from "../model/guarded-network.ts";
import type { DropEnd, LookupRow, NetworkStats, StatsReport } from "../model/report/stats.ts";
import { shortId } from "../model/topology.ts";
import type { DeniedRecord } from "./denied-record.ts";
import { dropRows } from "./drops.ts";
import { othersLabel } from "./lookup-rows.ts";
import type { LookupTally } from "./lookups.ts";

export interface ReportInput {
  readonly guarded: readonly GuardedNetwork[];
  readonly lookups: readonly LookupTally[];
  readonly denied: readonly DeniedRecord[];
  /** Whether there is no such container any more; by the first digits of its id, too. */
  readonly isGone: (containerId: string) => boolean;
  readonly nowMs: number;
  /** Where a packet like a denied one would end now; undefined where that is not known. */
  readonly endOf?: (record: DeniedRecord) => DropEnd | undefined;
}

/** Every guarded network, by name, quiet ones too. */
export function buildReport({
  guarded,
  lookups,
  denied,
  isGone,
  nowMs,
  endOf = () => undefined,
}: ReportInput): StatsReport {
  const byNetwork = Map.groupBy(lookups, (tally) => tally.networkId);
  const drops = Map.groupBy(denied, bookedUnder(guarded));
  const networks = guarded.map((network): NetworkStats => {
    return {
      network: network.name,
      mode: network.labels.mode,
      subnets: network.subnets.map(renderPrefix),
      lookups: lookupRows(byNetwork.get(network.id) ?? [], isGone),
      drops: byAddress(dropRows(drops.get(network.id) ?? [], isGone, endOf)),
    };
  });
  return { generatedAtMs: nowMs, networks: networks.sort((a, b) => compareText(a.network, b.network)) };
}

function lookupRows(tallies: readonly LookupTally[], isGone: ReportInput["isGone"]): LookupRow[] {
  const rows = tallies
    .toSorted(
      (a, b) =>
        compareDomains(a.domain, b.domain) ||
        compareText(a.type ?? "", b.type ?? "") ||
        Number(b.allowed) - Number(a.allowed) ||
        compareText(a.container?.name ?? "", b.container?.name ?? ""),
    )
    .map(({ asker, container, domain, type, allowed, trouble, count, lastSeenMs }): LookupRow => {
      return {
        address: asker,
        container: container?.name,
        ...(container !== undefined && isGone(container.id) ? { gone: true } : {}),
        domain,
        ...(type === undefined ? {} : { type }),
        allowed,
        ...(trouble === undefined ? {} : { trouble }),
        count,
        lastSeenMs,
      };
    });
  return byAddress(rows);
}

/** The guarded network of a record: its owner's; by the address alone where nobody is known to have had that. */
export function bookedUnder(
  guarded: readonly Pick<GuardedNetwork, "id" | "subnets">[],
): (record: Pick<DeniedRecord, "asker" | "owner">) => string | undefined {
  const ids = new Map(guarded.map(({ id }) => [shortId(id), id]));
  const networkAt = networkFinder(guarded);
  const found = new Map<IpAddress, string | undefined>();
  return ({ asker, owner }) => {
    if (owner !== undefined) return ids.get(owner.networkId);
    if (!found.has(asker)) found.set(asker, networkAt(asker)?.id);
    return found.get(asker);
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
