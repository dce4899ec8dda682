// The grants of all answers of one turn of the event loop: what one recvmmsg(2) has read of upstreams becomes one request
// to the kernel, with one acknowledgement, before one sendmmsg(2) of the answers. A request that is refused in the middle
// is taken back whole, and each answer admitted by itself: those that the kernel refuses fail, and no other.

import type { Grant, GrantEntry } from "../../core/grants/grant.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { Taker } from "../../core/taker.ts";

export type NetworkOf = (asker: IpAddress) => string;

/** What one answer opens. */
export interface WantedGrants {
  readonly grants: readonly Grant[];
  readonly networkOf: NetworkOf;
  /** The sandbox that asked; undefined where none was known to have its address. */
  readonly holder: string | undefined;
}

export interface GrantBatchOptions {
  /** Puts all of it into the kernel, or nothing. @throws when the kernel refuses any */
  readonly admitAll: (wanted: readonly WantedGrants[]) => void;
  /** When the first of these rights ends; they are in the kernel. */
  readonly endOf: (grants: readonly Grant[]) => number;
  /** Calls back when all that this turn has brought is decided. */
  readonly atEndOfTurn: (work: () => void) => void;
}

interface Waiting {
  readonly wanted: WantedGrants;
  readonly taker: Taker<number>;
}

export class GrantBatch {
  readonly #options: GrantBatchOptions;
  #waiting: Waiting[] = [];

  constructor(options: GrantBatchOptions) {
    this.#options = options;
  }

  /** Tells when they are in the kernel, and when the first of them ends. Fails with what the kernel refuses. */
  admit(wanted: WantedGrants, taker: Taker<number>): void {
    this.#waiting.push({ wanted, taker });
    if (this.#waiting.length === 1) this.#options.atEndOfTurn(() => this.#flush());
  }

  #flush(): void {
    const all = this.#waiting;
    this.#waiting = [];
    const isAdmitted = all.length > 1 && this.#admitAll(all.map(({ wanted }) => wanted));
    for (const { wanted, taker } of all) {
      let endAtMs: number;
      try {
        if (!isAdmitted) this.#options.admitAll([wanted]);
        endAtMs = this.#options.endOf(wanted.grants);
      } catch (error) {
        taker.fail(error);
        continue;
      }
      taker.take(endAtMs);
    }
  }

  #admitAll(all: readonly WantedGrants[]): boolean {
    try {
      this.#options.admitAll(all);
      return true;
    } catch {
      // Whose the refusal is, and why, is found out one by one.
      return false;
    }
  }
}

/** Each entry once, for as long as any of them wants it: added again, it would have the last one's time. */
export function mergeEntries(entries: readonly GrantEntry[]): readonly GrantEntry[] {
  const merged = new Map<string, GrantEntry>();
  for (const entry of entries) {
    const { set, destination, asker, protocol, port, timeoutSeconds } = entry;
    const key = set === "ask" ? `ask ${destination}` : `${set} ${destination} ${protocol}:${port} ${asker}`;
    const before = merged.get(key);
    if (before === undefined || before.timeoutSeconds <= timeoutSeconds) merged.set(key, entry);
  }
  return [...merged.values()];
}
