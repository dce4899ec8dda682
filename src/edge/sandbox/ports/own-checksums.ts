// A container with NET_RAW can leave two bytes of a packet to be filled in with a checksum, wherever it says
// (PACKET_VNET_HDR). An interface that leaves this to its device hands the packet to our port as it is, and whatever fills
// it in later, such as what cuts it into fragments, changes its destination after the rules have judged it. So while a
// container is guarded, or nobody knows yet, its own interfaces have the kernel fill everything in before they send. That
// costs it the segmentation that is left to the device, too.
//
// Which interfaces we have changed is kept in its sandbox, in the names of the chains of a table that does nothing, so that
// what comes after us can give them back, and leaves alone what was so before. With NET_ADMIN a container can take that
// table away: then it only keeps its cost.

import { checksumsTable } from "../../../core/firewall/names.ts";
import { DockerwallError } from "../../../errors.ts";
import { type TransmitChecksums, withChecksums } from "../../kernel/checksums.ts";
import { interfaceName } from "../../kernel/libc.ts";
import { NETLINK_NETFILTER, type NetlinkSocket, withNetlink } from "../../kernel/netlink/socket.ts";
import { withNamespace } from "../../kernel/netns.ts";
import { readChain } from "../../kernel/nftables/read.ts";
import { removeTables } from "../../kernel/nftables/tables.ts";
import { writeBatch, writeEmptyChain, writeGetChains, writeNewTable } from "../../kernel/nftables/write.ts";

const what = "the interfaces of a sandbox whose checksums are its own";
const chainPrefix = "interface-";
/** Chains that are read at most: with NET_ADMIN a container can have any number of its own. */
const mostChains = 1024;

export class OwnChecksums {
  readonly #namespaceFd: number;
  /** Indexes of interfaces that were seen to since anything was told of any. */
  readonly #seen = new Set<number>();
  #isGivenBack = false;

  constructor(namespaceFd: number) {
    this.#namespaceFd = namespaceFd;
  }

  /** Its interfaces may have changed. */
  noteChange(): void {
    this.#seen.clear();
  }

  /**
   * Has the kernel fill in the checksums of what these interfaces send, before they send it.
   * @throws DockerwallError KERNEL_REFUSED where that cannot be; SystemCallError, NetlinkError
   */
  keep(indexes: readonly number[]): void {
    const unseen = indexes.filter((index) => !this.#seen.has(index));
    if (unseen.length === 0) return;
    withNamespace(this.#namespaceFd, () =>
      withChecksums((checksums) => {
        for (const index of unseen) this.#keep(index, checksums);
      }),
    );
  }

  /** Gives back what was taken, also by an earlier run. @throws SystemCallError, NetlinkError */
  giveBack(): void {
    if (this.#isGivenBack) return;
    withNamespace(this.#namespaceFd, giveBackChecksums);
    this.#isGivenBack = true;
    this.#seen.clear();
  }

  #keep(index: number, checksums: TransmitChecksums): void {
    const name = interfaceName(index);
    // Who moved it elsewhere has NET_ADMIN, and could switch them on again here as well.
    if (name === undefined) return;
    if (checksums.areOffloaded(name)) {
      this.#isGivenBack = false;
      // First, as we may end any moment.
      withTable(({ writer }) => {
        writeNewTable(writer, checksumsTable);
        writeEmptyChain(writer, checksumsTable, `${chainPrefix}${index}`);
      });
      checksums.offload(name, false);
      if (checksums.areOffloaded(name))
        throw new DockerwallError("KERNEL_REFUSED", `the driver of ${name} goes on filling in checksums`);
    }
    this.#seen.add(index);
  }
}

/** The same for the namespace of the calling thread; none that was taken is no error. */
export function giveBackChecksums(): void {
  const names = takenInterfaces().flatMap((index) => interfaceName(index) ?? []);
  if (names.length > 0)
    withChecksums((checksums) => {
      for (const name of names) checksums.offload(name, true);
    });
  withNetlink(NETLINK_NETFILTER, what, (socket) => removeTables(socket, [checksumsTable], what));
}

function takenInterfaces(): readonly number[] {
  const indexes: number[] = [];
  // Of its own, as what is not read stays in it.
  withNetlink(NETLINK_NETFILTER, what, (socket) => {
    writeGetChains(socket.writer.reset(), checksumsTable);
    socket.dumpFirst(what, mostChains, (message) => {
      const { table, name } = readChain(message);
      if (table === checksumsTable.name) indexes.push(Number(name.slice(chainPrefix.length)));
    });
  });
  return indexes.filter((index) => index > 0);
}

function withTable(content: (socket: NetlinkSocket) => void): void {
  withNetlink(NETLINK_NETFILTER, what, (socket) => {
    writeBatch(socket.writer.reset(), () => content(socket));
    socket.request(what);
  });
}
