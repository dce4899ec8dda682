// Whether nftables tables exist, and removing them.

import { isMissing, type NetlinkSocket } from "../netlink/socket.ts";
import type { NftTable } from "./numbers.ts";
import { writeBatch, writeDeleteTable, writeGetTable } from "./write.ts";

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

/** Takes away those of the tables that are there, all in one step. @param what they are, in words, for errors */
export function removeTables(socket: NetlinkSocket, tables: readonly NftTable[], what: string): void {
  const present = tables.filter((table) => isTableThere(socket, table, what));
  if (present.length === 0) return;
  writeBatch(socket.writer.reset(), () => {
    for (const table of present) writeDeleteTable(socket.writer, table);
  });
  socket.request(`to remove ${what}`);
}
