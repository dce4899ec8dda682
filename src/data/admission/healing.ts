// Puts back what another program took out of our sets: who flushes a set takes all, so one entry tells of its set.

import { setNames } from "../../core/firewall/names.ts";
import { hostPrefix } from "../../core/model/address.ts";
import { admitEntries } from "../grant-entries.ts";
import type { Rights } from "./rights.ts";

const families = [4, 6] as const;
/** The kernel's clock and ours need not agree to the second on when an entry ends. */
const sampleMarginMs = 5_000;

/** Puts all rights back into the kernel when some of them have gone from there. @returns how many; mostly none */
export function healRights(rights: Rights): number {
  const nowMs = rights.nowMs();
  if (!isAnySetEmptied(rights, nowMs + sampleMarginMs)) return 0;
  const grants = rights.ledger.live(nowMs);
  admitEntries(rights.entries, rights.ledger.entriesFor(grants, nowMs));
  return grants.length;
}

function isAnySetEmptied({ sets, ledger, index }: Rights, untilMs: number): boolean {
  const isAskedEmptied = families.some((family) => {
    const asked = ledger.findAsked(family, untilMs);
    if (asked === undefined) return false;
    return !sets.has(setNames[`ask${family}`], { kind: "net", prefix: hostPrefix(asked) });
  });
  if (isAskedEmptied) return true;
  return [...index.samples(untilMs)].some(([set, key]) => !sets.has(setNames[set], key));
}
