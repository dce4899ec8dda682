// A set that rules go by as by a switch: with every address in it, for some seconds, it is on.

import { splitZero } from "../../../core/firewall/members.ts";
import { setNames } from "../../../core/firewall/names.ts";
import { anyPrefix, type Family } from "../../../core/model/address.ts";
import type { KernelSets } from "./kernel-sets.ts";

/** The name of the sets of both families, without its suffix. */
export type Switch = "awake" | "held" | "listens";

const families = [4, 6] as const;

/** False also where the sets are not there. */
export function isSwitchedOn(sets: Pick<KernelSets, "names" | "list">, name: Switch): boolean {
  const there = sets.names();
  const own = families.map((family) => setNames[`${name}${family}`]);
  return own.some((set) => there.includes(set) && sets.list(set, 1).length > 0);
}

/** On for so long, from now. */
export function switchOn(sets: Pick<KernelSets, "add">, name: Switch, timeoutSeconds: number): void {
  for (const family of families)
    sets.add(
      setNames[`${name}${family}`],
      everything(family).map((key) => ({ key, timeoutSeconds })),
    );
}

/** The same where the sets are: an earlier run has left them, or this one has made them. */
export function switchOnIfThere(
  sets: Pick<KernelSets, "add" | "names">,
  name: Switch,
  timeoutSeconds: number,
): void {
  const there = sets.names();
  if (families.every((family) => there.includes(setNames[`${name}${family}`])))
    switchOn(sets, name, timeoutSeconds);
}

/** Off at once. */
export function switchOff(sets: Pick<KernelSets, "del">, name: Switch): void {
  for (const family of families) sets.del(setNames[`${name}${family}`], everything(family));
}

function everything(family: Family) {
  return splitZero([anyPrefix(family)]).map((prefix) => ({ kind: "net", prefix }) as const);
}
