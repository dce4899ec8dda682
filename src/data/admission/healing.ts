// Puts back what another program took out of our sets: who flushes a set takes all, so one entry tells of its set.

import { setNames } from "../../core/firewall/names.ts";
import type { AskerKey, AskerSet } from "../../core/grants/entry-index.ts";
import { hostPrefix } from "../../core/model/address.ts";
import { admitEntries } from "../grant-entries.ts";
import { endMarginMs, type Rights } from "./rights.ts";

const families = [4, 6] as const;

type EmptiedSet = AskerSet | "ask4" | "ask6";

export class RightsHealing {
  readonly #rights: Rights;
  /** What the kernel would not take back: then a part may be in the set, and would speak for the rest. */
  #unhealed: readonly EmptiedSet[] = [];

  constructor(rights: Rights) {
    this.#rights = rights;
  }

  /**
   * Puts all rights back into the kernel when some of them have gone from there.
   * @returns how many; mostly none
   * @throws what the kernel refuses: all of it is done again next time
   */
  heal(): number {
    const { ledger, entries, nowMs } = this.#rights;
    const now = nowMs();
    const emptied = new Set([...this.#unhealed, ...this.#emptied(now + endMarginMs)]);
    if (emptied.size === 0) return 0;
    this.#unhealed = [...emptied];
    const grants = ledger.live(now);
    admitEntries(entries, ledger.entriesFor(grants, now));
    // What is no right of a lookup's does not come back: the kernel asks for its next first packet.
    for (const set of emptied) this.#forgetMissing(set, now);
    this.#unhealed = [];
    return grants.length;
  }

  #emptied(untilMs: number): readonly EmptiedSet[] {
    const { sets, ledger, index } = this.#rights;
    const asked = families.flatMap((family): EmptiedSet[] => {
      const address = ledger.findAsked(family, untilMs);
      if (address === undefined) return [];
      const key = { kind: "net", prefix: hostPrefix(address) } as const;
      return sets.has(setNames[`ask${family}`], key) ? [] : [`ask${family}`];
    });
    const samples = [...index.samples(untilMs)];
    return [...asked, ...samples.flatMap(([set, key]) => (sets.has(setNames[set], key) ? [] : [set]))];
  }

  #forgetMissing(set: EmptiedSet, nowMs: number): void {
    const { sets, ledger, index } = this.#rights;
    if (set === "ask4" || set === "ask6") {
      ledger.recountAsked(nowMs);
      return;
    }
    const left = sets
      .list(setNames[set])
      .flatMap(({ key }): AskerKey[] => (key.kind === "ip-port-ip" ? [key] : []));
    index.keepOnly(set, left);
  }
}
