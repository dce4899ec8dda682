// iptables-nft creates tables and built-in chains when the first rule goes in, and never removes one. Those that were
// created for our rules go with them, unless other software has put something in.

import { type MissingChains, tableItself, type UnusedChains } from "../../../core/firewall/rules/made.ts";
import type { Table } from "../../../core/firewall/rules/table.ts";
import type { Family } from "../../../core/model/address.ts";
import { isInUse, isMissing } from "../netlink/refusal.ts";
import { NETLINK_NETFILTER, type NetlinkSocket, withNetlink } from "../netlink/socket.ts";
import { writeBatch, writeDeleteEmpty, writeGetPart } from "./write.ts";

/** Which tables and built-in chains the rules need and nobody has made yet; iptables-save shows all of a table. */
export function findMissing(family: Family, desired: readonly Table[]): MissingChains {
  return withNetlink(NETLINK_NETFILTER, "tables", (socket) => {
    const lacks = (table: string, chain?: string): boolean => !exists(socket, family, table, chain);
    return new Map(
      desired.map(({ name, jumps }) => {
        const needed = jumps.filter(({ optional }) => optional !== true);
        const hooks = needed.map(({ hook }) => hook).filter((hook) => lacks(name, hook));
        return [name, lacks(name) ? [tableItself, ...hooks] : hooks];
      }),
    );
  });
}

/**
 * Removes chains, and their table where it is ours as a whole, in one step of the kernel; it refuses when there is a
 * rule in one of them, so that what others add meanwhile stays.
 */
export function removeUnusedChains(family: Family, { table, chains, whole }: UnusedChains): void {
  withNetlink(NETLINK_NETFILTER, "tables", (socket) => {
    const there = chains.filter((chain) => exists(socket, family, table, chain));
    const remove = (parts: readonly string[], all: boolean): boolean => {
      writeBatch(socket.writer.reset(), () =>
        writeDeleteEmpty(socket.writer, { family, table, chains: parts, whole: all }),
      );
      return passes(socket, `to remove what was made for us in table ${table}`);
    };
    if (whole && remove(there, true)) return;
    for (const chain of there) remove([chain], false);
  });
}

function exists(socket: NetlinkSocket, family: Family, table: string, chain: string | undefined): boolean {
  writeGetPart(socket.writer.reset(), family, table, chain);
  return passes(socket, `table ${table}`);
}

/** False when what the request is about is gone, or in use. */
function passes(socket: NetlinkSocket, what: string): boolean {
  try {
    socket.request(what);
    return true;
  } catch (error) {
    if (isMissing(error) || isInUse(error)) return false;
    throw error;
  }
}
