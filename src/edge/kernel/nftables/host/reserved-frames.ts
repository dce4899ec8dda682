// Our nft table against frames that a bridge hands up without bridging them. One to a reserved MAC gets to the host as if
// its port were on no bridge (br_handle_frame()): no rule of the bridge sees it, and none that goes by the bridge's name
// applies to what it carries. No IP is ever sent there, so nothing of the host's own is lost.
//
// The chain of a guarded port marks what it lets in, and raw drops that where it does not come by the bridge. This is for
// ports without a chain: of containers that start while no daemon runs. So the table outlives us.

import { framesTable } from "../../../../core/firewall/names.ts";
import { reservedChain, reservedGroup } from "../../../../core/firewall/reserved-frames.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { frameInGroup } from "../expressions/headers.ts";
import { fromEthernet } from "../expressions/meta.ts";
import { verdict } from "../expressions/statements.ts";
import { isTableThere, listFilledChains, removeTables, TableFlags } from "../tables.ts";
import { writeBatch, writeFlushChain, writeNewChain, writeNewRule, writeNewTable } from "../write.ts";

const what = "the table of reserved frames";

export class ReservedFrames {
  readonly #socket: NetlinkSocket;
  readonly #flags: TableFlags;

  /**
   * Puts the table into the namespace of the socket, or takes over what an earlier run left there.
   * @param flags of the table; none where the kernel has no such flags
   */
  constructor(socket: NetlinkSocket, flags: number) {
    this.#socket = socket;
    this.#flags = new TableFlags(flags);
    this.#make();
  }

  /** Puts back what other software took away; nothing to do where the kernel keeps it from them. */
  heal(): void {
    if (!this.#flags.areNone) return;
    if (!listFilledChains(this.#socket, framesTable, what).has(reservedChain.name)) this.#make();
  }

  #make(): void {
    const { writer } = this.#socket;
    this.#flags.attempt((flags) => {
      // By itself: the kernel makes no chain in the same step in which a table changes hands.
      if (isTableThere(this.#socket, framesTable, what))
        this.#write(() => writeNewTable(writer, framesTable, flags));
      this.#write(() => {
        writeNewTable(writer, framesTable, flags);
        writeNewChain(writer, {
          table: framesTable,
          type: "filter",
          ...reservedChain,
        });
        writeFlushChain(writer, framesTable, reservedChain.name);
        writeNewRule(writer, framesTable, reservedChain.name, [
          fromEthernet(),
          frameInGroup(reservedGroup.mac, reservedGroup.bits),
          verdict("drop"),
        ]);
      });
    });
  }

  #write(content: () => void): void {
    writeBatch(this.#socket.writer.reset(), content);
    this.#socket.request(what);
  }
}

/** Takes the table away; none there is no error. */
export function removeReservedFrames(socket: NetlinkSocket): void {
  removeTables(socket, [framesTable], what);
}
