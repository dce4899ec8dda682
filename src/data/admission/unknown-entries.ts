// Entries in our sets that nobody was granted: another program has restored an old save of them, or added some by hand.
// What an earlier run has granted is known from the start.

import { setNames } from "../../core/firewall/names.ts";
import { type AskerKey, type AskerSet, askerSets, entryId } from "../../core/grants/entry-index.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { Rights } from "./rights.ts";

/** A reading of large sets takes so much less time than there is until the next begins: 5 % of a processor at most. */
const restsPerReading = 20;

export class UnknownEntries {
  readonly #rights: Rights;
  /** By performance.now(); never while a reading is under way. */
  #nextAtMs = 0;

  constructor(rights: Rights) {
    this.#rights = rights;
  }

  /**
   * Reads the sets by portions of some hundred entries, a turn of the event loop each, and takes out what is unknown;
   * nothing where the last reading is too near, or under way.
   * @returns the askers that could have used it
   * @throws what the kernel refuses
   */
  async take(): Promise<ReadonlySet<IpAddress>> {
    const askers = new Set<IpAddress>();
    const begunAtMs = performance.now();
    if (begunAtMs < this.#nextAtMs) return askers;
    this.#nextAtMs = Number.POSITIVE_INFINITY;
    try {
      for (const set of askerSets) await this.#takeFrom(set, askers);
    } finally {
      const nowMs = performance.now();
      this.#nextAtMs = nowMs + (nowMs - begunAtMs) * restsPerReading;
    }
    return askers;
  }

  async #takeFrom(set: AskerSet, askers: Set<IpAddress>): Promise<void> {
    const { sets, index } = this.#rights;
    for await (const portion of sets.portions(setNames[set])) {
      // What is granted is in the index before anything else is done: an entry of a moment ago is not unknown.
      const unknown = portion.flatMap(({ key }): AskerKey[] =>
        key.kind === "ip-port-ip" && index.find(key.second, entryId(set, key)) === undefined ? [key] : [],
      );
      if (unknown.length === 0) continue;
      sets.del(setNames[set], unknown);
      for (const { second } of unknown) askers.add(second);
    }
  }
}
