// What the containers of a network have done: the journal's lookups, and the kernel's counters of what passed and what
// did not.

import { setNames } from "../../core/firewall/names.ts";
import type { DeniedEntry } from "../../core/journal/drops.ts";
import type { LookupJournal } from "../../core/journal/lookups.ts";
import { type Observation, observe } from "../../core/journal/observed.ts";
import { type IpAddress, prefixContains } from "../../core/model/address.ts";
import type { GuardedNetwork } from "../../core/model/guarded-network.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { ListedEntry } from "../../edge/kernel/ipset/message.ts";

export interface ObservationSources {
  readonly sets: KernelSets;
  readonly journal: LookupJournal;
}

export function readObservation(
  network: GuardedNetwork,
  { sets, journal }: ObservationSources,
  nowMs: number,
): Observation {
  const list = (names: readonly string[]): ListedEntry[] => names.flatMap((name) => sets.list(name));
  const mine = ({ asker }: DeniedEntry): boolean =>
    network.subnets.some((subnet) => prefixContains(subnet, asker));
  const granted = list([setNames.grant4, setNames.grant6]);
  const denied = list([setNames.denied4, setNames.denied6]);
  const comments = new Map(
    granted.flatMap(({ key, comment = "" }) =>
      key.kind === "ip-port-ip" ? [[`${key.second} ${key.first}`, comment] as const] : [],
    ),
  );
  const tallies = journal.tallies(nowMs).filter(({ networkId }) => networkId === network.id);
  const byAsker = new Map<IpAddress, ReadonlyMap<string, readonly string[]>>();
  return observe(
    tallies,
    denied.flatMap((entry) => counted(entry, "asker-first")).filter(mine),
    granted.flatMap((entry) => counted(entry, "asker-last")).filter(mine),
    {
      containerOf: (asker) => journal.containerAt(network.id, asker),
      namesOf(asker, destination) {
        const names = byAsker.get(asker) ?? journal.namesByAddress(network.id, asker);
        byAsker.set(asker, names);
        const comment = comments.get(`${asker} ${destination}`);
        return names.get(destination) ?? (comment === undefined || comment === destination ? [] : [comment]);
      },
    },
  );
}

function counted(
  { key, packets = 0, bytes = 0 }: ListedEntry,
  order: "asker-first" | "asker-last",
): DeniedEntry[] {
  if (key.kind !== "ip-port-ip") return [];
  const { first, second, protocol, port } = key;
  const [asker, destination] = order === "asker-first" ? [first, second] : [second, first];
  return [{ asker, destination, protocol, port, packets, bytes }];
}
