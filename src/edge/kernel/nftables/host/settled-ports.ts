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

import { bridgeTable } from "../../../../core/firewall/names.ts";
import { messageOf } from "../../../../errors.ts";
import { NETLINK_NETFILTER, withNetlink } from "../../netlink/socket.ts";
import { withNewNamespace } from "../../netns.ts";
import { removeTables } from "../tables.ts";
import { tableFlags } from "../write.ts";
import { BridgeTable, bridgeTableText } from "./bridge-table.ts";

export interface SettledPorts {
  /** In force on return. */
  settle(indexes: readonly number[]): void;
  /** What comes from them is marked from now on. */
  unsettle(indexes: readonly number[]): void;
  /** Whether it is settled, or may be. */
  has(index: number): boolean;
  /** Forgets the ports that are no more. */
  retain(isPresent: (index: number) => boolean): void;
  /** From now on, and for so long, what comes from other ports is marked. */
  stayAwake(ms: number): void;
  /** Puts back what other software took away; nothing to do where the kernel keeps it from them. */
  heal(): void;
  /** Takes the table away. */
  close(): void;
}

/**
 * Makes the table in the namespace of the calling thread, in place of what an earlier run left there.
 * @param keeping whether the kernel is to keep others from it, where it can
 */
export function openSettledPorts(keeping: "ours" | "shared" = "ours"): SettledPorts {
  const settled = new Set<number>();
  /** Of these a change has failed: they may be in the kernel or not. */
  const doubtful = new Set<number>();
  const table = new BridgeTable(keeping === "ours" ? tableFlags.owned : tableFlags.none, () => [...settled]);

  function change(indexes: readonly number[], work: () => void): void {
    for (const index of indexes) doubtful.add(index);
    work();
    for (const index of indexes) doubtful.delete(index);
  }

  function unsettle(indexes: readonly number[]): void {
    const there = indexes.filter((index) => settled.delete(index) || doubtful.has(index));
    if (there.length > 0) change(there, () => table.unsettle(there));
  }

  return {
    settle(indexes) {
      const fresh = indexes.filter((index) => !settled.has(index));
      if (fresh.length === 0) return;
      for (const index of fresh) settled.add(index);
      try {
        change(fresh, () => table.settle(fresh));
      } catch (error) {
        for (const index of fresh) settled.delete(index);
        throw error;
      }
    },
    unsettle,
    has: (index) => settled.has(index) || doubtful.has(index),
    retain: (isPresent) => unsettle([...settled, ...doubtful].filter((index) => !isPresent(index))),
    stayAwake: (ms) => table.stayAwake(ms),
    heal: () => table.heal(),
    close: () => table.close(),
  };
}

/** Takes the table away; none there is no error. */
export function removeSettledPorts(): void {
  withNetlink(NETLINK_NETFILTER, bridgeTableText, (socket) =>
    removeTables(socket, [bridgeTable], bridgeTableText),
  );
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
