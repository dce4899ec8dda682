// Our nft tables inside a container's sandbox, of which each file beside this one has one or two. They belong to a socket
// of ours that stays open, so that NET_ADMIN in the container cannot remove them; and they persist, so that they outlive
// us. Kernels before 6.9 cannot do both, and there the tables have no owner.

import {
  cutTable,
  foreignTable,
  gatewayTable,
  holdTable,
  sandboxTable,
} from "../../../core/firewall/names.ts";
import {
  NETLINK_NETFILTER,
  type NetlinkSocket,
  openNetlink,
  withNetlink,
} from "../../kernel/netlink/socket.ts";
import type { NftTable } from "../../kernel/nftables/numbers.ts";
import { isTableRefused, isTableThere, removeTables } from "../../kernel/nftables/tables.ts";
import { tableFlags, writeBatch, writeDeleteTable, writeNewTable } from "../../kernel/nftables/write.ts";

/** Before conntrack (-200): what is dropped there leaves no trace of a flow. */
export const FIRST = -300;

/** To whom the table of one sandbox belongs. */
export type TableOwner = NetlinkSocket;

/** In the namespace of the calling thread; to be closed by closeLater(), after which the table belongs to nobody. */
export function openTableOwner(): TableOwner {
  return openNetlink(NETLINK_NETFILTER, "the table of a sandbox");
}

/** Takes our tables out of the namespace of the calling thread; none there is no error. */
export function removeSandboxTables(owner?: TableOwner): void {
  removeOurs([sandboxTable, holdTable, gatewayTable, foreignTable], owner);
}

/** The same with what cuts it off. */
export function removeAllSandboxTables(): void {
  removeOurs([sandboxTable, holdTable, gatewayTable, foreignTable, cutTable], undefined);
}

/**
 * Puts a table into the namespace of the calling thread, in place of one of its name, in one step.
 * @returns whether there was one
 * @throws NetlinkError
 */
export function replaceTable(
  table: NftTable,
  owner: TableOwner | undefined,
  content: (socket: NetlinkSocket) => void,
): boolean {
  return withSocket(owner, (socket) => {
    const replaced = isTableThere(socket, table, nameOf(table));
    const replace = (flags: number): void => {
      writeBatch(socket.writer.reset(), () => {
        if (replaced) writeDeleteTable(socket.writer, table);
        writeNewTable(socket.writer, table, flags);
        content(socket);
      });
      socket.request(nameOf(table));
    };
    try {
      replace(owner === undefined ? tableFlags.none : tableFlags.owned | tableFlags.persistent);
    } catch (error) {
      if (owner === undefined || !isTableRefused(error, replaced ? 1 : 0)) throw error;
      replace(tableFlags.none);
    }
    return replaced;
  });
}

/** Takes these tables out of the namespace of the calling thread; none there is no error. */
export function removeOurs(tables: readonly NftTable[], owner: TableOwner | undefined): void {
  withSocket(owner, (socket) => removeTables(socket, tables, "our tables from a sandbox"));
}

/** Whether the namespace of the calling thread has it, read from the kernel. */
export function isOursThere(table: NftTable, owner: TableOwner | undefined): boolean {
  return withSocket(owner, (socket) => isTableThere(socket, table, nameOf(table)));
}

function nameOf({ name }: NftTable): string {
  return `the table ${name} in a sandbox`;
}

function withSocket<T>(owner: TableOwner | undefined, work: (socket: NetlinkSocket) => T): T {
  return owner === undefined ? withNetlink(NETLINK_NETFILTER, "the tables of a sandbox", work) : work(owner);
}
