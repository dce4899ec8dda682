// Whether nftables tables exist, whose they are, and removing them.

import { isMissing, NetlinkError } from "../netlink/refusal.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import type { NftTable } from "./numbers.ts";
import { tableFlags, writeBatch, writeDeleteTable, writeGetTable } from "./write.ts";

/** Whether a table is in the namespace of the socket. @param what it is, in words, for errors */
export function isTableThere(socket: NetlinkSocket, table: NftTable, what: string): boolean {
  writeGetTable(socket.writer.reset(), table);
  try {
    socket.request(what);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Of the message that makes a table, in a batch that begins with it. */
const tableIndex = 1;

/** How the kernel keeps others from a table of ours: as wanted, until it turns out that it cannot. */
export class TableFlags {
  #current: number;

  /** @param wanted sum of tableFlags */
  constructor(wanted: number) {
    this.#current = wanted;
  }

  /** True where others can change the table. */
  get areNone(): boolean {
    return this.#current === tableFlags.none;
  }

  /** Sends a batch that begins with making the table, and sends it without flags where the kernel refuses these. */
  attempt(send: (flags: number) => void): void {
    try {
      send(this.#current);
    } catch (error) {
      // Before Linux 5.12, or 6.9 where it is to persist, or where an earlier run could not own it.
      if (this.areNone || !(error instanceof NetlinkError) || error.index !== tableIndex) throw error;
      this.#current = tableFlags.none;
      send(this.#current);
    }
  }
}

/** Takes away those of the tables that are there, all in one step. @param what they are, in words, for errors */
export function removeTables(socket: NetlinkSocket, tables: readonly NftTable[], what: string): void {
  const present = tables.filter((table) => isTableThere(socket, table, what));
  if (present.length === 0) return;
  writeBatch(socket.writer.reset(), () => {
    for (const table of present) writeDeleteTable(socket.writer, table);
  });
  socket.request(`to remove ${what}`);
}
