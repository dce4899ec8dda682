// What the containers of a network have done: the journal's lookups, and the kernel's counters of what passed and what
// did not.

import { setNames } from "../../../core/firewall/names.ts";
import { namesReader } from "../../../core/journal/lookups.ts";
import { bookedUnder } from "../../../core/journal/report.ts";
import type { GuardedNetwork } from "../../../core/model/guarded-network.ts";
import { type Observation, observe, type Passed } from "../../../core/suggest/observed.ts";
import type { KernelSets } from "../../../edge/kernel/ipset/kernel-sets.ts";
import type { ListedEntry } from "../../../edge/kernel/ipset/message.ts";
import type { History } from "../../history/history.ts";

export interface ObservationSources {
  readonly sets: KernelSets;
  readonly history: Pick<History, "lookups" | "denied" | "holderOf" | "namesOf">;
}

/** @param guarded all guarded networks, of which this is one */
export async function readObservation(
  network: GuardedNetwork,
  guarded: readonly GuardedNetwork[],
  { sets, history }: ObservationSources,
): Promise<Observation> {
  const networkOf = bookedUnder(guarded);
  const namesOf = namesReader(history.namesOf);
  /** A grant is taken away when its address passes on, so it is the present holder's. */
  const passed = ({ key, packets = 0, bytes = 0, comment = "" }: ListedEntry): Passed[] => {
    if (key.kind !== "ip-port-ip" || packets === 0) return [];
    const { first: destination, second: asker, protocol, port } = key;
    const holder = history.holderOf(asker);
    if (holder?.networkId !== network.id) return [];
    const known = namesOf(holder.containerId, destination);
    const noted = comment === "" || comment === destination ? [] : [comment];
    const counted = { asker, destination, protocol, port, packets, bytes };
    return [{ ...counted, holder, names: known.length > 0 ? known : noted }];
  };
  const lookups = history.lookups().filter(({ networkId }) => networkId === network.id);
  const denied = history.denied().filter((record) => networkOf(record) === network.id);
  const seen: Passed[] = [];
  for (const name of [setNames.grant4, setNames.grant6])
    for await (const entries of sets.portions(name)) seen.push(...entries.flatMap(passed));
  return observe(lookups, denied, seen);
}
