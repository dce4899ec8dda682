// Whether nftables tables exist, whose they are, whether they work, and removing them.

import { isMissing, NetlinkError } from "../netlink/refusal.ts";
import { NETLINK_NETFILTER, type NetlinkSocket, withNetlink } from "../netlink/socket.ts";
import type { NftTable } from "./numbers.ts";
import { readRulePlace, readTableFlags } from "./read.ts";
import {
  DORMANT,
  tableFlags,
  writeBatch,
  writeDeleteTable,
  writeGetRules,
  writeGetTable,
  writeTableFlags,
} from "./write.ts";

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

/** Names of those chains of a table that have a rule in them. @param what the table is, in words, for errors */
export function listFilledChains(socket: NetlinkSocket, table: NftTable, what: string): ReadonlySet<string> {
  const names = new Set<string>();
  writeGetRules(socket.writer.reset(), table);
  socket.dump(
    what,
    () => names.clear(),
    (message) => names.add(readRulePlace(message).chain),
  );
  return names;
}

/** Of the message that makes a table, in a batch that begins with it. */
const tableIndex = 1;

/**
 * Whether what makes a table was refused, as it is with flags that the kernel does not know: before Linux 5.12, or 6.9
 * where the table is to persist. @param before messages of the batch before that one
 */
export function isTableRefused(error: unknown, before = 0): error is NetlinkError {
  return error instanceof NetlinkError && error.index === tableIndex + before;
}

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
      // Or where an earlier run could not own it.
      if (this.areNone || !isTableRefused(error)) throw error;
      this.#current = tableFlags.none;
      send(this.#current);
    }
  }
}

/** Whether another program has switched one of the tables off (`flags dormant`); each rule still reads as before. */
export function areAsleep(tables: readonly NftTable[]): boolean {
  return withNetlink(NETLINK_NETFILTER, "tables", (socket) =>
    tables.some((table) => isDormant(flagsOf(socket, table))),
  );
}

/** Switches such tables on again. @returns whether there was one @throws NetlinkError when it is another program's own */
export function wakeTables(tables: readonly NftTable[]): boolean {
  return withNetlink(NETLINK_NETFILTER, "tables", (socket) => {
    const asleep = tables
      .map((table) => ({ table, flags: flagsOf(socket, table) }))
      .filter(({ flags }) => isDormant(flags));
    for (const { table, flags } of asleep) {
      writeBatch(socket.writer.reset(), () => writeTableFlags(socket.writer, table, flags & ~DORMANT));
      socket.request(`to switch table ${table.family} ${table.name} on again, which is dormant`);
    }
    return asleep.length > 0;
  });
}

const isDormant = (flags: number): boolean => (flags & DORMANT) !== 0;

/** None for a table that is not there. */
function flagsOf(socket: NetlinkSocket, table: NftTable): number {
  let flags = 0;
  writeGetTable(socket.writer.reset(), table);
  try {
    socket.request(`table ${table.name}`, (message) => {
      flags = readTableFlags(message);
    });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return flags;
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
