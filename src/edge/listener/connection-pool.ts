// Connections of independent clients, bounded in total: each costs us a descriptor. When there is no room, the client
// with the most connections loses one, so that no client keeps out another that has fewer.

import { Turns } from "./turns.ts";

/**
 * Questions of all connections of one owner together that are asked in a turn of the event loop. An answer that is known
 * comes at once: connections full of such questions would keep everybody else's lookups from being read.
 */
const questionsPerTurn = 16;

/** What is given up is destroyed. */
export interface Connection {
  destroy(): void;
}

export class ConnectionPool {
  /** Of the owners. */
  readonly turns = new Turns(questionsPerTurn);
  readonly #limit: number;
  /** Oldest first. */
  readonly #byOwner = new Map<string, Set<Connection>>();
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  /** @returns false when there is no room for one more of this owner's: nobody else has more */
  enter(owner: string, connection: Connection): boolean {
    if (this.#size >= this.#limit && !this.#makeRoomFor(owner)) return false;
    const own = this.#byOwner.get(owner) ?? new Set();
    this.#byOwner.set(owner, own.add(connection));
    this.#size++;
    return true;
  }

  /** To be called once it is closed; more often is no error. */
  leave(owner: string, connection: Connection): void {
    const own = this.#byOwner.get(owner);
    if (own?.delete(connection) !== true) return;
    this.#size--;
    if (own.size === 0) this.#byOwner.delete(owner);
  }

  #makeRoomFor(owner: string): boolean {
    let most = owner;
    for (const [each, { size }] of this.#byOwner) if (size > this.countOf(most)) most = each;
    // One with as many as it would have then is as good as it is.
    if (this.countOf(most) <= this.countOf(owner) + 1) return false;
    const [oldest] = this.#byOwner.get(most) ?? [];
    if (oldest === undefined) return false;
    this.leave(most, oldest);
    oldest.destroy();
    return true;
  }

  countOf(owner: string): number {
    return this.#byOwner.get(owner)?.size ?? 0;
  }
}
