// The chains of our table of the host's ports: what is in them, how each is put in place of another, and which of them
// the kernel has.

import { portTable } from "../../../../core/firewall/names.ts";
import type { PortGuard } from "../../../../core/firewall/port-guard.ts";
import { addressFromBytes, type IpAddress } from "../../../../core/model/address.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import type { NetlinkWriter } from "../../netlink/writer.ts";
import { inputInterface, outputInterface } from "../expressions/meta.ts";
import type { Expression } from "../expressions/registers.ts";
import { verdict } from "../expressions/statements.ts";
import { readChain, readSender } from "../read.ts";
import {
  writeDeleteChain,
  writeFirstRule,
  writeFlushChain,
  writeGetChains,
  writeGetRules,
  writeNewChain,
  writeNewRule,
} from "../write.ts";
import { renderPortRules, renderShutRules } from "./port-rules.ts";

/** A port, by its index and the name of the device. */
export interface PortDevice {
  readonly index: number;
  readonly name: string;
}

/** What may come in; nothing comes in; nothing goes out. */
export type PortChainKind = "guard" | "cut" | "cut-out";

export interface PortChain {
  readonly kind: PortChainKind;
  readonly port: PortDevice;
  readonly rules: readonly (readonly Expression[])[];
  /** Two chains of one text are one. */
  readonly text: string;
}

/** A chain that is in the kernel. */
export interface FoundChain {
  /** That it hangs on; undefined where that is gone. */
  readonly device: string | undefined;
  /** Undefined where an earlier run has put it there. */
  readonly chain: PortChain | undefined;
}

/** How many go to the kernel in one step, unless one chain has more: a container may have many addresses. */
const mostRules = 2_048;

/** Before whatever else may hang there. */
const FIRST = -500;

export function chainName(kind: PortChainKind, index: number): string {
  return `${kind}-${index}`;
}

/** The index of the port that a chain of this name is for. */
export function portIndexOf(name: string): number {
  return Number(name.slice(name.lastIndexOf("-") + 1));
}

export function nameOf({ kind, port }: PortChain): string {
  return chainName(kind, port.index);
}

/** Lets in by a port what its guard says. */
export function guardChain(port: PortDevice, guard: PortGuard): PortChain {
  const rules = renderPortRules(port.index, guard);
  return { kind: "guard", port, rules, text: JSON.stringify([port, guard]) };
}

/** Lets nothing in by a port. */
export function cutChain(port: PortDevice): PortChain {
  const rules = [[inputInterface(port.index), verdict("drop")]];
  return { kind: "cut", port, rules, text: JSON.stringify(port) };
}

/** Lets nothing out by a port. */
export function cutOutChain(port: PortDevice): PortChain {
  const rules = [[outputInterface(port.index), verdict("drop")]];
  return { kind: "cut-out", port, rules, text: JSON.stringify(port) };
}

/** Chains as they are put into the kernel together. */
export function inSteps(chains: readonly PortChain[]): readonly (readonly PortChain[])[] {
  const steps: PortChain[][] = [];
  let rules = mostRules;
  for (const chain of chains) {
    rules += chain.rules.length;
    if (rules <= mostRules) steps.at(-1)?.push(chain);
    else {
      steps.push([chain]);
      rules = chain.rules.length;
    }
  }
  return steps;
}

/** Puts a chain in place of the one of its name that is there, also where it is not known to be. */
export function writePortChain(writer: NetlinkWriter, chain: PortChain, there: FoundChain | undefined): void {
  const { kind, port, rules } = chain;
  const name = nameOf(chain);
  if (there !== undefined) writeFlushChain(writer, portTable, name);
  if (there !== undefined && there.device !== port.name) writeDeleteChain(writer, portTable, name);
  if (there?.device !== port.name) {
    writeNewChain(writer, {
      table: portTable,
      name,
      type: "filter",
      hook: kind === "cut-out" ? "egress" : "ingress",
      priority: kind === "cut" ? FIRST - 1 : FIRST,
      device: port.name,
    });
    // Where there is one already, the kernel keeps it, and its rules; a new one it lets us flush as well.
    writeFlushChain(writer, portTable, name);
  }
  for (const rule of rules) writeNewRule(writer, portTable, name, rule);
}

/** Has the chain of what may come in by a port, whatever is in it, let in nothing from these addresses. */
export function writeShut(writer: NetlinkWriter, index: number, addresses: readonly IpAddress[]): void {
  for (const rule of addresses.flatMap((address) => renderShutRules(index, address)))
    writeFirstRule(writer, portTable, chainName("guard", index), rule);
}

/** The chains that are in the table, by name. */
export function listChains(socket: NetlinkSocket): Map<string, FoundChain> {
  const chains = new Map<string, FoundChain>();
  writeGetChains(socket.writer.reset(), portTable);
  socket.dump(
    "the chains of the host's ports",
    () => chains.clear(),
    (message) => {
      const { table, name, device } = readChain(message);
      if (table === portTable.name) chains.set(name, { device, chain: undefined });
    },
  );
  return chains;
}

/** The addresses that each chain lets in, by its name. */
export function listSenders(socket: NetlinkSocket): ReadonlyMap<string, ReadonlySet<IpAddress>> {
  const senders = new Map<string, Set<IpAddress>>();
  const shut = new Map<string, Set<IpAddress>>();
  writeGetRules(socket.writer.reset(), portTable);
  socket.dump(
    "the rules of the host's ports",
    () => {
      senders.clear();
      shut.clear();
    },
    (message) => {
      const { chain, source, drops } = readSender(message);
      if (source === undefined) return;
      const all = drops ? shut : senders;
      all.set(chain, (all.get(chain) ?? new Set<IpAddress>()).add(addressFromBytes(source)));
    },
  );
  for (const [chain, addresses] of shut) for (const address of addresses) senders.get(chain)?.delete(address);
  return senders;
}
