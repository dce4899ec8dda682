// The control plane's part of `suggest` and `replay`: judges past traffic by the policy in force and by another one.

import { decideForEach, joinDecisions } from "../../core/askers/index-of-askers.ts";
import { placeOfLabel } from "../../core/classify/gather.ts";
import type { ClassifiedNetwork } from "../../core/classify/networks.ts";
import { isNeverOutside } from "../../core/dns/address-filter.ts";
import { replay } from "../../core/journal/replay.ts";
import { suggest } from "../../core/journal/suggest.ts";
import { unusedEntries } from "../../core/journal/usage.ts";
import { allowLabel } from "../../core/labels/table.ts";
import { addressBytes, type IpAddress } from "../../core/model/address.ts";
import type { ReplayReport, SuggestReport } from "../../core/model/report.ts";
import { parseAllowlist, renderProblem } from "../../core/policy/allowlist.ts";
import { addressRights, decideName, decidePacket, type Policy } from "../../core/policy/decide.ts";
import { digestOf } from "../../core/policy/digest.ts";
import { compileList, type EntryList } from "../../core/policy/entry-list.ts";
import { describeEntry, type Presets } from "../../core/policy/preset.ts";
import { DockerwallError } from "../../errors.ts";
import { findNetwork, indexOf, membershipsAt, type Present } from "./in-force.ts";
import { type ObservationSources, readObservation } from "./observation.ts";

export interface SuggestionSources extends ObservationSources {
  /** Since when lookups are remembered, milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly hostAddresses: () => readonly IpAddress[];
}

/** @throws DockerwallError NOT_FOUND */
export function suggestFor(name: string, present: Present, sources: SuggestionSources): SuggestReport {
  const network = findNetwork(name, present);
  const { topology, nowMs, uptimeMs } = present;
  sources.journal.learn(topology);
  const seen = readObservation(network, sources, nowMs);
  const policies = policiesOn(
    network,
    seen.lookups.map(({ asker }) => asker),
    present,
  );
  const host = new Set(sources.hostAddresses());
  const { entries, leftOut } = suggest(seen, {
    allowsName: (domain) => policies.every((policy) => decideName(policy, domain, uptimeMs).allowed),
    takenBy: (target) => takenBy(policies, target, uptimeMs),
    isHost: (address) => host.has(address),
    unfit: (address) =>
      isNeverOutside(addressBytes(address))
        ? "link-local, multicast and broadcast addresses are never suggested"
        : undefined,
  });
  const labels = topology.networks.find(({ id }) => id === network.id)?.labels ?? {};
  const own = network.lists.find(({ source }) => source === labelOf(network));
  return {
    network: network.name,
    composeKey: labels["com.docker.compose.network"],
    mode: network.labels.mode,
    sinceMs: sources.sinceMs,
    present: labels[allowLabel] ?? "",
    added: entries,
    leftOut,
    unused: own === undefined ? [] : unusedEntries(compileList(own), own.entries, seen),
  };
}

/** @throws DockerwallError BAD_ENTRY, NOT_FOUND */
export function replayOn(
  { network: name, allow }: { readonly network: string; readonly allow: string },
  present: Present,
  sources: SuggestionSources,
): ReplayReport {
  const network = findNetwork(name, present);
  const { classification, topology, presets, nowMs, uptimeMs } = present;
  const proposed = parseProposal(allow, presets);
  const guarded = classification.guarded.map((known) =>
    known.id === network.id
      ? { ...known, lists: [proposed, ...known.lists.filter(({ source }) => source !== labelOf(network))] }
      : known,
  );
  const index = indexOf({ ...present, quarantine: new Set() }, guarded);
  sources.journal.learn(topology);
  const rows = replay(readObservation(network, sources, nowMs), {
    allowsName: (asker, domain) =>
      joinDecisions(decideForEach(membershipsAt(index, asker), domain, uptimeMs)).allowed,
    judge: (asker, packet, names) => {
      const mine = membershipsAt(index, asker).find(({ networkId }) => networkId === network.id);
      if (mine === undefined) return { allowed: false, by: undefined, name: undefined };
      return decidePacket(mine.policy, packet, names, uptimeMs);
    },
  });
  return { network: network.name, sinceMs: sources.sinceMs, rows };
}

/** Where the network's label stands, as its list says. */
function labelOf({ name }: ClassifiedNetwork): string {
  return placeOfLabel({ kind: "network", name });
}

function parseProposal(allow: string, presets: Presets): EntryList {
  const parsed = parseAllowlist(allow, presets);
  if (!parsed.ok) {
    const sentences = parsed.problems.map((problem) => renderProblem("--allow", problem));
    throw new DockerwallError("BAD_ENTRY", sentences.join("\n"));
  }
  const { entries } = parsed;
  return {
    id: -1,
    source: "--allow",
    entries,
    digest: digestOf(entries.map(describeEntry)),
    endsAtMs: undefined,
  };
}

/** The policies of everybody on the network who was seen; the network's own when nobody was. */
function policiesOn(
  network: ClassifiedNetwork,
  askers: readonly string[],
  present: Present,
): readonly Policy[] {
  const index = indexOf(present);
  const found = [...new Set(askers)].flatMap((asker) =>
    membershipsAt(index, asker)
      .filter(({ networkId }) => networkId === network.id)
      .map(({ policy }) => policy),
  );
  if (found.length > 0) return [...new Set(found)];
  return [{ network: network.name, lists: network.lists.map(compileList) }];
}

/** The `!` entry that takes a name or an address away from anybody, and where it stands. */
function takenBy(
  policies: readonly Policy[],
  { name, address }: { readonly name?: string; readonly address?: IpAddress },
  uptimeMs: number,
): string | undefined {
  for (const policy of policies) {
    const byName = name === undefined ? undefined : decideName(policy, name, uptimeMs);
    const [taken] = [
      ...(byName !== undefined && !byName.allowed ? byName.by : []),
      ...(address === undefined ? [] : addressRights(policy, address, uptimeMs).taken),
    ];
    if (taken !== undefined) return `${describeEntry(taken.entry)} (${taken.source})`;
  }
  return undefined;
}
