// Our nft table on the host, attached to the ports of guarded and quarantined containers.
//
//   guard-N     What may come in through the port with index N, and the mark of packets seen to come from its sender.
//   cut-N       Nothing comes in.
//   cut-out-N   Nothing goes out: no neighbour reaches it either.
//
// Chains are attached to a device by name. When the device is gone its chain may stay, and get attached to the next one
// with that name: so each rule also checks the index, and the chain is removed when its port is gone.
//
// Beside it is a table of its own for frames that never get to a bridge (reserved-frames.ts).
//
// The table outlives us: a port that appears while the daemon is dead has no chain, so nothing that it sends is marked,
// and a guarded bridge takes nothing without the mark. From 6.9 on, the kernel lets only us change the table.

import type { Cut } from "../../../../core/cut.ts";
import { portTable } from "../../../../core/firewall/names.ts";
import type { PortGuard } from "../../../../core/firewall/port-guard.ts";
import type { IpAddress } from "../../../../core/model/address.ts";
import { messageOf } from "../../../../errors.ts";
import { NetlinkError } from "../../netlink/refusal.ts";
import { NETLINK_NETFILTER, type NetlinkSocket, openNetlink, withNetlink } from "../../netlink/socket.ts";
import { withNewNamespace } from "../../netns.ts";
import { isTableThere, listFilledChains, removeTables } from "../tables.ts";
import { tableFlags } from "../write.ts";
import { ChainsInKernel, ours } from "./chains-in-kernel.ts";
import {
  chainName,
  cutChain,
  cutOutChain,
  guardChain,
  listChains,
  listSenders,
  type PortDevice,
  portIndexOf,
} from "./port-chains.ts";
import { ReservedFrames, removeReservedFrames } from "./reserved-frames.ts";

/** What may come in by a port. */
export interface PortGuardDemand {
  readonly port: PortDevice;
  readonly guard: PortGuard;
}

export interface PortTable {
  /** What may come in by a port, in place of what was so before, in one step; in force on return. */
  guard(port: PortDevice, guard: PortGuard): void;
  /**
   * The same for many ports, in as few steps as it takes; a refusal fails that port, and no other.
   * @returns what was refused, by the index of the port
   */
  guardAll(demands: readonly PortGuardDemand[]): ReadonlyMap<number, unknown>;
  /** Lets everything in. */
  open(index: number): void;
  /** What an earlier run's chains let in that were there at first, by the index of the port. */
  inherited(): ReadonlyMap<number, ReadonlySet<IpAddress>>;
  /** Nothing comes in from these addresses by a port that an earlier run has guarded, until it is guarded anew. */
  shut(index: number, addresses: readonly IpAddress[]): void;
  /** Nothing comes in or goes out, or no longer so. Before 5.16, the kernel cuts only what comes in. */
  cut(port: PortDevice, cutOff: boolean): void;
  /** How far a port is cut, read from the kernel; what the kernel can do is known once a port was cut. */
  cutOf(index: number): Cut;
  /** Forgets the ports that are no more. */
  retain(isPresent: (index: number) => boolean): void;
  /** Puts back what other software took away; nothing to do where the kernel keeps it from them. */
  heal(): void;
  /** Takes the tables away. */
  remove(): void;
  close(): void;
}

/**
 * Takes over the table that an earlier run left in the namespace of the calling thread.
 * @param keeping whether the kernel is to keep others from it, where it can
 */
export function openPortTable(keeping: "ours" | "shared" = "ours"): PortTable {
  return new KernelPortTable(keeping === "ours" ? tableFlags.owned | tableFlags.persistent : tableFlags.none);
}

class KernelPortTable implements PortTable {
  readonly #socket = openNetlink(NETLINK_NETFILTER, ours);
  readonly #chains: ChainsInKernel;
  readonly #reserved: ReservedFrames;
  /** Whether the kernel can hang a chain on what goes out. */
  #hasEgress = true;

  constructor(flags: number) {
    this.#chains = new ChainsInKernel(this.#socket, flags);
    this.#reserved = new ReservedFrames(this.#socket, flags);
  }

  guard(port: PortDevice, guard: PortGuard): void {
    this.#chains.put([guardChain(port, guard)]);
  }

  guardAll(demands: readonly PortGuardDemand[]): ReadonlyMap<number, unknown> {
    return this.#chains.putAll(demands.map(({ port, guard }) => guardChain(port, guard)));
  }

  open(index: number): void {
    this.#chains.take([chainName("guard", index)]);
  }

  inherited(): ReadonlyMap<number, ReadonlySet<IpAddress>> {
    const guards = [...listSenders(this.#socket)].filter(([name]) => name.startsWith("guard-"));
    return new Map(guards.map(([name, senders]) => [portIndexOf(name), senders]));
  }

  shut(index: number, addresses: readonly IpAddress[]): void {
    this.#chains.shut(index, addresses);
  }

  cut(port: PortDevice, cutOff: boolean): void {
    if (cutOff) this.#cutOff(port);
    else this.#chains.take([chainName("cut", port.index), chainName("cut-out", port.index)]);
  }

  cutOf(index: number): Cut {
    const chains = listChains(this.#socket);
    const filled = listFilledChains(this.#socket, portTable, ours);
    const [inward, outward] = (["cut", "cut-out"] as const).map((kind) => {
      const name = chainName(kind, index);
      return chains.get(name)?.device !== undefined && filled.has(name);
    });
    if (inward === outward) return inward === true ? "whole" : "none";
    return inward === true && !this.#hasEgress ? "sends-nothing" : "partly";
  }

  retain(isPresent: (index: number) => boolean): void {
    this.#chains.retain(isPresent);
  }

  heal(): void {
    this.#reserved.heal();
    this.#chains.heal();
  }

  remove(): void {
    this.#chains.clear();
    removeAll(this.#socket);
  }

  close(): void {
    this.#socket.close();
  }

  #cutOff(port: PortDevice): void {
    const inward = cutChain(port);
    try {
      this.#chains.put(this.#hasEgress ? [inward, cutOutChain(port)] : [inward]);
    } catch (error) {
      // Before Linux 5.16 there is no way to hang on what goes out.
      if (!this.#hasEgress || !(error instanceof NetlinkError) || error.code !== "KERNEL_UNSUPPORTED")
        throw error;
      this.#hasEgress = false;
      this.#chains.put([inward]);
    }
  }
}

/** Whether an earlier run has left its table in the namespace of the calling thread. */
export function hasPortTable(): boolean {
  return withNetlink(NETLINK_NETFILTER, ours, (socket) => isTableThere(socket, portTable, ours));
}

/** Takes the tables away; none there is no error. */
export function removePortTable(): void {
  withNetlink(NETLINK_NETFILTER, ours, removeAll);
}

function removeAll(socket: NetlinkSocket): void {
  removeTables(socket, [portTable], ours);
  removeReservedFrames(socket);
}

/** Tries such a table in a namespace of its own. @returns why this kernel has none; undefined when it has */
export function probePortTable(): string | undefined {
  try {
    withNewNamespace(() => {
      const table = openPortTable();
      try {
        const nobody: PortGuard = {
          senders: [],
          neighbourhood: [],
          neighbourhoods: [],
          bridgeMac: "02:00:00:00:00:00",
          linkLocal: [],
          linkLocalMay: "judged",
        };
        table.guard({ index: 1, name: "lo" }, nobody);
      } finally {
        table.close();
      }
    });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
