// Reads a whole set by portions, a message of the kernel each (some hundred entries, 2 to 3 ms), with a turn of the event
// loop between: a million entries by one call are seconds in which the thread does nothing else.
//
// What changes meanwhile is harmless. The kernel lists a bucket of the table as a whole, and goes on with the table that
// it began with when the set gets a larger one (mtype_list(), mtype_uref()): what is in the set all the time is told
// exactly once, what comes or goes may be told or not, as by a listing a moment earlier or later. It does refuse to
// destroy a set that is being listed, so what destroys one ends its readings first.
// @see net/netfilter/ipset/ip_set_hash_gen.h, ip_set_core.c

import { setImmediate as turn } from "node:timers/promises";
import { NETLINK_NETFILTER, openNetlink } from "../netlink/socket.ts";
import { KernelSetError } from "./error.ts";
import { listInSteps } from "./listing.ts";
import type { ListedEntry } from "./message.ts";
import type { SetSocket } from "./protocol.ts";

/** Readings that are under way. */
export class Portions {
  readonly #protocol: number;
  /** What ends each, by the name of its set. */
  readonly #underWay = new Map<string, Set<() => void>>();

  constructor({ protocol }: Pick<SetSocket, "protocol">) {
    this.#protocol = protocol;
  }

  /** By a socket of its own: what is not read yet is in it. @throws KernelSetError "missing" if the set ends */
  async *of(name: string): AsyncGenerator<readonly ListedEntry[], void, undefined> {
    const socket = openNetlink(NETLINK_NETFILTER, "a kernel set");
    let isEnded = false;
    let next: (() => readonly ListedEntry[] | undefined) | undefined;
    /** Once the kernel has told all, nothing keeps the set any more; to close the socket may come too late for that. */
    const end = (): void => {
      isEnded = true;
      while (next?.() !== undefined);
    };
    const ends = this.#underWay.get(name) ?? new Set();
    this.#underWay.set(name, ends.add(end));
    try {
      next = listInSteps({ socket, protocol: this.#protocol }, name, () => !isEnded);
      for (let entries = next(); entries !== undefined; entries = next()) {
        yield entries;
        await turn();
        if (isEnded) throw new KernelSetError(`set ${name} was destroyed while it was read`, "missing");
      }
    } finally {
      ends.delete(end);
      if (ends.size === 0) this.#underWay.delete(name);
      socket.closeLater();
    }
  }

  /** Ends all readings. */
  close(): void {
    for (const name of this.#underWay.keys()) this.end(name);
  }

  /** Ends the readings of a set: at once, however much of it is unread. */
  end(name: string): void {
    for (const end of this.#underWay.get(name) ?? []) end();
  }
}
