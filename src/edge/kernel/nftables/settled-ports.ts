// Our nft table for the host's bridges. A port is settled if its sandbox is known and the kernel has everything that
// follows from this, or if it belongs to no container. Packets from any other port are marked with it, so that they
// wait in a queue for the daemon (rules of raw): behind the bridge the port is no longer known, and the sender can
// choose everything else in a packet.
//
//   settled  The settled ports, by index. No other port ever has that index.
//   awake    IP and IPv6, while the daemon has recently said that it is awake: nothing waits for one that hangs.
//   mark     Comes before br_netfilter shows the packet to iptables.
//
// The table goes away with the daemon, so that no packet gets a mark that nothing removes. Kernels before 5.12 do not
// remove it when the daemon is killed: there it stops marking when the daemon has long not said that it is awake.

import { bridgeTable, portPrefix, unsettledMark } from "../../../core/firewall/names.ts";
import { messageOf } from "../../../errors.ts";
import { hostBytes } from "../netlink/message.ts";
import { isMissing, NETLINK_NETFILTER, NetlinkError, openNetlink } from "../netlink/socket.ts";
import { withNewNamespace } from "../netns.ts";
import {
  frameProtocolIn,
  inputInterfaceIn,
  inputNameBegins,
  setMarkToInput,
  verdict,
} from "./expressions.ts";
import { writeAddElements, writeDeleteElements, writeFlushSet, writeNewSet } from "./sets.ts";
import { isTableThere, removeTables } from "./tables.ts";
import { tableFlags, writeBatch, writeNewChain, writeNewRule, writeNewTable } from "./write.ts";

/** Of the message that makes the table, in a batch. */
const tableIndex = 1;
/** Before br_netfilter (0) and the rules of ebtables. */
const FIRST = -300;
const SETTLED = "settled";
const AWAKE = "awake";
const MARK = "mark";
const protocols = [Uint8Array.of(0x08, 0x00), Uint8Array.of(0x86, 0xdd)];
const what = "the table of the host's bridges";

export interface SettledPorts {
  /** In force on return. */
  settle(indexes: readonly number[]): void;
  /** What comes from them is marked from now on. */
  unsettle(indexes: readonly number[]): void;
  has(index: number): boolean;
  /** Forgets the ports that are no more. */
  retain(isPresent: (index: number) => boolean): void;
  /** From now on, and for so long, what comes from other ports is marked. */
  stayAwake(ms: number): void;
  /** Puts back what somebody took away; nothing to do where the kernel keeps it from them. */
  heal(): void;
  /** Takes the table away. */
  close(): void;
}

/**
 * Makes the table in the namespace of the calling thread, in place of what an earlier run left there.
 * @param keeping whether the kernel is to keep others from it, where it can
 */
export function openSettledPorts(keeping: "ours" | "anybody's" = "ours"): SettledPorts {
  const socket = openNetlink(NETLINK_NETFILTER, what);
  const { writer } = socket;
  const settled = new Set<number>();
  let flags: number = keeping === "ours" ? tableFlags.owned : tableFlags.none;

  function write(content: () => void): void {
    writeBatch(writer.reset(), content);
    socket.request(what);
  }

  function make(): void {
    removeTables(socket, [bridgeTable], what);
    const attempt = (): void =>
      write(() => {
        writeNewTable(writer, bridgeTable, flags);
        writeContent();
      });
    try {
      attempt();
    } catch (error) {
      // Before Linux 5.12.
      if (flags === tableFlags.none || !(error instanceof NetlinkError) || error.index !== tableIndex)
        throw error;
      flags = tableFlags.none;
      attempt();
    }
  }

  function writeContent(): void {
    writeNewSet(writer, { table: bridgeTable, name: SETTLED, type: "iface_index", timeout: false }, 1);
    writeNewSet(writer, { table: bridgeTable, name: AWAKE, type: "ether_type", timeout: true }, 2);
    writeNewChain(writer, {
      table: bridgeTable,
      name: MARK,
      type: "filter",
      hook: "prerouting",
      priority: FIRST,
    });
    writeNewRule(writer, bridgeTable, MARK, [inputInterfaceIn(SETTLED), verdict("accept")]);
    writeNewRule(writer, bridgeTable, MARK, [
      frameProtocolIn(AWAKE),
      inputNameBegins(portPrefix),
      setMarkToInput(unsettledMark),
    ]);
    if (settled.size > 0) writeAddElements(writer, elementsOf([...settled]));
  }

  /** Where somebody has taken it away it is made anew, with all that is settled now. */
  function insist(content: () => void): void {
    try {
      write(content);
    } catch (error) {
      if (!isMissing(error)) throw error;
      make();
    }
  }

  function unsettle(indexes: readonly number[]): void {
    const there = indexes.filter((index) => settled.delete(index));
    if (there.length > 0) insist(() => writeDeleteElements(writer, elementsOf(there)));
  }

  make();
  return {
    settle(indexes) {
      const fresh = indexes.filter((index) => !settled.has(index));
      if (fresh.length === 0) return;
      for (const index of fresh) settled.add(index);
      try {
        insist(() => writeAddElements(writer, elementsOf(fresh)));
      } catch (error) {
        for (const index of fresh) settled.delete(index);
        throw error;
      }
    },
    unsettle,
    has: (index) => settled.has(index),
    retain: (isPresent) => unsettle([...settled].filter((index) => !isPresent(index))),
    stayAwake(ms) {
      const renew = (): void => {
        // What is there already would keep its time.
        writeFlushSet(writer, bridgeTable, AWAKE);
        writeAddElements(writer, { table: bridgeTable, set: AWAKE, keys: protocols, timeoutMs: ms });
      };
      insist(renew);
    },
    heal() {
      if (flags === tableFlags.none && !isTableThere(socket, bridgeTable, what)) make();
    },
    close() {
      removeTables(socket, [bridgeTable], what);
      socket.close();
    },
  };
}

function elementsOf(indexes: readonly number[]): Parameters<typeof writeAddElements>[1] {
  return { table: bridgeTable, set: SETTLED, keys: indexes.map(hostBytes) };
}

/** Takes the table away; none there is no error. */
export function removeSettledPorts(): void {
  const socket = openNetlink(NETLINK_NETFILTER, what);
  try {
    removeTables(socket, [bridgeTable], what);
  } finally {
    socket.closeLater();
  }
}

/** Tries such a table in a namespace of its own. @returns why this kernel has none; undefined when it has */
export function probeSettledPorts(): string | undefined {
  try {
    withNewNamespace(() => openSettledPorts().close());
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
