// Which offloads we have changed for a container's interfaces, so that what comes after us can give them back, and leaves
// alone what was so before. It is kept in the container's sandbox, in the names of the chains of a table that does nothing:
//
//   interface-N   Checksums were taken from the device of the interface with index N.
//   port-M-of-N   Merging was switched on at the other end of N, the port of the host with index M.
//
// With NET_ADMIN a container can take that table away, or write into it what it likes.

import { checksumsTable } from "../../../core/firewall/names.ts";
import { NETLINK_NETFILTER, withNetlink } from "../../kernel/netlink/socket.ts";
import { readChain } from "../../kernel/nftables/read.ts";
import { removeTables } from "../../kernel/nftables/tables.ts";
import { writeBatch, writeEmptyChain, writeGetChains, writeNewTable } from "../../kernel/nftables/write.ts";

const what = "the interfaces of a sandbox whose checksums are its own";
/** Chains that are read at most: with NET_ADMIN a container can have any number of its own. */
const mostChains = 1024;

/** An interface of a container, by the indexes of both its ends. */
export interface PortPair {
  /** In its sandbox. */
  readonly index: number;
  /** On the host. */
  readonly port: number;
}

export interface OffloadNotes {
  /** Indexes of the interfaces whose checksums were taken. */
  readonly interfaces: readonly number[];
  /** Those whose ports merge because of us. */
  readonly merging: readonly PortPair[];
}

/** Of the sandbox of the calling thread. @throws NetlinkError */
export function noteInterface(index: number): void {
  note([`interface-${index}`]);
}

/** The same. */
export function noteMerging(pairs: readonly PortPair[]): void {
  note(pairs.map(({ index, port }) => `port-${port}-of-${index}`));
}

function note(names: readonly string[]): void {
  withNetlink(NETLINK_NETFILTER, what, (socket) => {
    writeBatch(socket.writer.reset(), () => {
      writeNewTable(socket.writer, checksumsTable);
      for (const name of names) writeEmptyChain(socket.writer, checksumsTable, name);
    });
    socket.request(what);
  });
}

/** What was noted in the sandbox of the calling thread, also by an earlier run. @throws NetlinkError */
export function readNotes(): OffloadNotes {
  const interfaces: number[] = [];
  const merging: PortPair[] = [];
  // Of its own, as what is not read stays in it.
  withNetlink(NETLINK_NETFILTER, what, (socket) => {
    writeGetChains(socket.writer.reset(), checksumsTable);
    socket.dumpFirst(what, mostChains, (message) => {
      const { table, name } = readChain(message);
      if (table !== checksumsTable.name) return;
      const [, port, index] = /^(?:interface|port-([1-9]\d*)-of)-([1-9]\d*)$/.exec(name) ?? [];
      if (index === undefined) return;
      if (port === undefined) interfaces.push(Number(index));
      else merging.push({ index: Number(index), port: Number(port) });
    });
  });
  return { interfaces, merging };
}

/** Takes them away; none that are there is no error. @throws NetlinkError */
export function removeNotes(): void {
  withNetlink(NETLINK_NETFILTER, what, (socket) => removeTables(socket, [checksumsTable], what));
}
