// The chains of our table of the host's ports that the kernel has, as far as that is known, and how they become others: in
// one step, or in as few as it takes.

import { portTable } from "../../../../core/firewall/names.ts";
import type { IpAddress } from "../../../../core/model/address.ts";
import { NetlinkError } from "../../netlink/refusal.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { isTableThere, listFilledChains, TableFlags } from "../tables.ts";
import { writeBatch, writeDeleteChain, writeFlushChain, writeNewTable } from "../write.ts";
import {
  chainName,
  type FoundChain,
  inSteps,
  listChains,
  nameOf,
  type PortChain,
  portIndexOf,
  writePortChain,
  writeShut,
} from "./port-chains.ts";

/** As errors name the table. */
export const ours = "the table of the host's ports";

/** What a change finds otherwise than it was thought to be is looked at, and the change is tried once more. */
export class ChainsInKernel {
  readonly #socket: NetlinkSocket;
  readonly #flags: TableFlags;
  /** By name. */
  #chains: Map<string, FoundChain>;

  /** Takes over those that an earlier run left. @param flags of the table */
  constructor(socket: NetlinkSocket, flags: number) {
    this.#socket = socket;
    this.#chains = listChains(socket);
    this.#flags = new TableFlags(flags);
    // By itself: the kernel makes no chain in the same step in which a table changes hands.
    if (isTableThere(socket, portTable, ours)) this.#write(`to take over ${ours}`, () => undefined);
  }

  /** In one step. */
  put(chains: readonly PortChain[]): void {
    const fresh = this.#freshOf(chains);
    if (fresh.length > 0) this.#insist(() => this.#writeChains(fresh));
  }

  /**
   * A refusal fails the chain that it is about, and no other.
   * @returns what was refused, by the index of the port
   */
  putAll(chains: readonly PortChain[]): ReadonlyMap<number, unknown> {
    const refusals = new Map<number, unknown>();
    for (const step of inSteps(this.#freshOf(chains))) {
      if (step.length > 1 && this.#takesAll(step)) continue;
      for (const chain of step) {
        try {
          this.put([chain]);
        } catch (error) {
          refusals.set(chain.port.index, error);
        }
      }
    }
    return refusals;
  }

  /** Takes out those of these names that are there. */
  take(names: readonly string[]): void {
    this.#insist(() => {
      const there = names.filter((name) => this.#chains.has(name));
      if (there.length === 0) return;
      this.#change("to remove the chains of a port", there, () => {
        for (const name of there) {
          writeFlushChain(this.#socket.writer, portTable, name);
          writeDeleteChain(this.#socket.writer, portTable, name);
        }
      });
      for (const name of there) this.#chains.delete(name);
    });
  }

  /** The chain of what may come in by a port lets in nothing from these addresses, where there is one. */
  shut(index: number, addresses: readonly IpAddress[]): void {
    this.#insist(() => {
      if (!this.#chains.has(chainName("guard", index))) return;
      this.#write("to shut a port for addresses", () => writeShut(this.#socket.writer, index, addresses));
    });
  }

  /** Takes out those of ports that are no more. */
  retain(isPresent: (index: number) => boolean): void {
    this.take([...this.#chains.keys()].filter((name) => !isPresent(portIndexOf(name))));
  }

  /** Puts back what other software took away; nothing to do where the kernel keeps it from them. */
  heal(): void {
    if (!this.#flags.areNone) return;
    const wanted = [...this.#chains.values()].flatMap(({ chain }) => chain ?? []);
    this.#look();
    const filled = listFilledChains(this.#socket, portTable, ours);
    for (const [name, { device }] of this.#chains)
      if (!filled.has(name)) this.#chains.set(name, { device, chain: undefined });
    this.put(wanted);
  }

  /** The table is taken away, and they with it. */
  clear(): void {
    this.#chains.clear();
  }

  /** The kernel takes all of them, or none. */
  #takesAll(chains: readonly PortChain[]): boolean {
    try {
      this.#writeChains(chains);
      return true;
    } catch {
      // Whose the refusal is, and why, is found out one by one.
      return false;
    }
  }

  #writeChains(chains: readonly PortChain[]): void {
    this.#change("the chains of a port", chains.map(nameOf), () => {
      for (const chain of chains) writePortChain(this.#socket.writer, chain, this.#chains.get(nameOf(chain)));
    });
    for (const chain of chains) this.#chains.set(nameOf(chain), { device: chain.port.name, chain });
  }

  /** Those that are not there as they are to be. */
  #freshOf(chains: readonly PortChain[]): readonly PortChain[] {
    return chains.filter((chain) => this.#chains.get(nameOf(chain))?.chain?.text !== chain.text);
  }

  /** What is not refused, and not answered either, may have been done or not: nothing is known of these chains then. */
  #change(what: string, names: readonly string[], content: () => void): void {
    try {
      this.#write(what, content);
    } catch (error) {
      if (!(error instanceof NetlinkError))
        for (const name of names) this.#chains.set(name, { device: undefined, chain: undefined });
      throw error;
    }
  }

  #write(what: string, content: () => void): void {
    this.#flags.attempt((flags) => {
      writeBatch(this.#socket.writer.reset(), () => {
        writeNewTable(this.#socket.writer, portTable, flags);
        content();
      });
      this.#socket.request(what);
    });
  }

  /** Where the kernel has another table than we thought, or may have, it is looked at and tried once more. */
  #insist(attempt: () => void): void {
    try {
      attempt();
    } catch (error) {
      if (error instanceof NetlinkError && error.code === "KERNEL_UNSUPPORTED") throw error;
      this.#look();
      attempt();
    }
  }

  #look(): void {
    const before = this.#chains;
    this.#chains = listChains(this.#socket);
    for (const [name, { device }] of this.#chains) {
      const chain = before.get(name)?.chain;
      if (device !== undefined && device === chain?.port.name) this.#chains.set(name, { device, chain });
    }
  }
}
