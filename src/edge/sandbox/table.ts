// Our nft tables inside a container's sandbox. The first redirects the container's questions to our own sockets, which
// are at the resolver's address too, on other ports. So it needs no routing of loopback addresses, no masquerade and no
// reserved address, and the client still sees its answer come from 127.0.0.11:53.
//
//   capture  Runs before Docker's own NAT of the same packets (priority -100); the first translation of a flow is
//            final, so Docker's rules may come before or after ours, by iptables-nft or iptables-legacy.
//   guard    Docker's resolver itself listens at 127.0.0.11 on two other ports, and would answer questions sent there.
//            The guard is at input, which every packet to a local socket passes, even one that was put on a wire by
//            hand; and it needs no conntrack state, which a forged first packet could turn round. It comes last of all:
//            otherwise a container with NET_ADMIN could redirect packets to Docker's ports after the guard.
//
// A second table holds packets that leave by an interface that is not known yet:
//
//   hold     An interface that the engine has just put into the sandbox may lead to a network that is not guarded, where
//            the container must be guarded by its addresses before it sends. The hold is at output, which every packet
//            of the container passes except those that are put on a wire by hand. What is dropped there is an error for
//            its sender: it is for guarded containers only where packets from new ports wait on the host.
//
// A third one is for containers that are hosts themselves (kind, k3d). They rewrite Docker's rules so that the gateway's
// address means Docker's resolver, for themselves and for those inside of them:
//
//   pin      A question to port 53 of the gateway goes to the gateway, where the host leads it to us. It is translated
//            to what it is already, before Docker's own rules or what became of them: the first translation is final.
//
// A fourth one replaces what a kernel before 5.16 cannot do at a port:
//
//   cut      Nothing comes in or goes out except by loopback, and by what an engine announces of an address that it gives.
//            Frames that are put on a wire by hand bypass it.
//
// A fifth one is at the interfaces that neither the engine nor the container itself has made:
//
//   interface-N  Nothing goes out by the interface with index N, frames that are put on its wire by hand and what the
//                container forwards included. Only ARP does, and what an engine announces: it may have put the interface
//                there for a network that it has not told of yet. Before 5.16 the kernel has no such place: there, the
//                hold alone keeps back what the container's own sockets send.
//
// The tables belong to a socket of ours that stays open, so that NET_ADMIN in the container cannot remove them; and
// they persist, so that they outlive us. Kernels before 6.9 cannot do both, and there the tables have no owner.

import { cutTable, foreignTable, gatewayTable, holdTable, sandboxTable } from "../../core/firewall/names.ts";
import { addressBytes, type IpAddress } from "../../core/model/address.ts";
import { type Protocol, protocolNumbers } from "../../core/model/service.ts";
import { DockerwallError, messageOf } from "../../errors.ts";
import { NetlinkError } from "../kernel/netlink/refusal.ts";
import { NETLINK_NETFILTER, type NetlinkSocket, openNetlink, withNetlink } from "../kernel/netlink/socket.ts";
import { withNewNamespace } from "../kernel/netns.ts";
import {
  announcement,
  discoveryMessages,
  ICMPV6,
  linkLocalMulticast,
  messageType,
} from "../kernel/nftables/expressions/discovery.ts";
import { destinationAddress, destinationPort, etherType } from "../kernel/nftables/expressions/headers.ts";
import {
  inputInterface,
  ipv6,
  outputInterface,
  transportProtocol,
} from "../kernel/nftables/expressions/meta.ts";
import type { Expression } from "../kernel/nftables/expressions/registers.ts";
import { destinationNat, verdict } from "../kernel/nftables/expressions/statements.ts";
import { etherTypes, type NftTable } from "../kernel/nftables/numbers.ts";
import { isTableRefused, isTableThere, removeTables } from "../kernel/nftables/tables.ts";
import {
  tableFlags,
  writeBatch,
  writeDeleteTable,
  writeNewChain,
  writeNewRule,
  writeNewTable,
} from "../kernel/nftables/write.ts";
import { LOOPBACK_INDEX, resolverBytes as resolver } from "./sockets.ts";

const DNS_PORT = 53;
/** Docker's is -100 (NF_IP_PRI_NAT_DST). */
const BEFORE_DOCKER = -101;
/** A chain that comes later with the same priority is put before it (nf_hook_entries_grow()). */
const LAST = 0x7fff_ffff;
/** Before conntrack (-200): what is held leaves no trace of a flow. */
const FIRST = -300;

/** Where our sockets are; undefined where there is none: what is asked there gets no answer, ours or another. */
export interface SandboxPorts {
  readonly udpPort: number | undefined;
  readonly tcpPort: number | undefined;
}

/** To whom the table of one sandbox belongs. */
export type TableOwner = NetlinkSocket;

/** In the namespace of the calling thread; to be closed by closeLater(), after which the table belongs to nobody. */
export function openTableOwner(): TableOwner {
  return openNetlink(NETLINK_NETFILTER, "the table of a sandbox");
}

/**
 * Puts the table into the namespace of the calling thread (see withNamespace), in place of an older one, in one step.
 * A flow that was translated before stays as it was, and the guard stops it: see forgetFlowsPast().
 * @param owner without one, or on an old kernel, the table belongs to nobody
 * @returns whether there was an older one
 * @throws NetlinkError; KERNEL_UNSUPPORTED without nftables
 */
export function installSandboxTable(ports: SandboxPorts, owner?: TableOwner): boolean {
  return replaceTable(sandboxTable, owner, (socket) => {
    writeCapture(socket, ports);
    writeGuard(socket, ports);
  });
}

/** Indexes of interfaces in a sandbox. */
export type Interfaces = readonly number[] | "all";

/** Lets packets leave by these interfaces and loopback only, in place of what was so before, in one step. */
export function holdInterfaces(interfaces: Interfaces, owner?: TableOwner): void {
  if (interfaces === "all") {
    removeOurs([holdTable], owner);
    return;
  }
  replaceTable(holdTable, owner, ({ writer }) => {
    const chain = {
      table: holdTable,
      name: "hold",
      type: "filter",
      hook: "output",
      priority: FIRST,
    } as const;
    writeNewChain(writer, chain);
    for (const index of [LOOPBACK_INDEX, ...interfaces])
      writeNewRule(writer, holdTable, chain.name, [outputInterface(index), verdict("accept")]);
    // An engine announces its containers' addresses so; refused, it does not start them.
    for (const type of discoveryMessages)
      writeNewRule(writer, holdTable, chain.name, [
        ...linkLocalMulticast(),
        transportProtocol(ICMPV6),
        messageType(type),
        verdict("accept"),
      ]);
    writeNewRule(writer, holdTable, chain.name, [verdict("drop")]);
  });
}

/** Lets nothing leave by these interfaces, in place of others before, in one step. @throws NetlinkError */
export function closeInterfaces(
  interfaces: readonly { readonly index: number; readonly name: string }[],
  owner?: TableOwner,
): void {
  if (interfaces.length === 0) {
    removeOurs([foreignTable], owner);
    return;
  }
  try {
    replaceTable(foreignTable, owner, ({ writer }) => {
      for (const { index, name: device } of interfaces) {
        const name = `interface-${index}`;
        writeNewChain(writer, {
          table: foreignTable,
          name,
          type: "filter",
          hook: "egress",
          priority: FIRST,
          device,
        });
        // A chain may come to hang on the next device of that name.
        const by = outputInterface(index);
        writeNewRule(writer, foreignTable, name, [by, etherType(etherTypes.arp), verdict("accept")]);
        writeNewRule(writer, foreignTable, name, [
          by,
          etherType(etherTypes.ip6),
          ...announcement(),
          verdict("accept"),
        ]);
        writeNewRule(writer, foreignTable, name, [by, verdict("drop")]);
      }
    });
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.code !== "KERNEL_UNSUPPORTED") throw error;
  }
}

/** Keeps questions to these addresses on their way there, in place of earlier ones; without any, no longer. */
export function pinGateways(gateways: readonly IpAddress[], owner?: TableOwner): void {
  if (gateways.length === 0) {
    removeOurs([gatewayTable], owner);
    return;
  }
  replaceTable(gatewayTable, owner, ({ writer }) => {
    for (const hook of ["prerouting", "output"] as const) {
      writeNewChain(writer, { table: gatewayTable, name: hook, type: "nat", hook, priority: BEFORE_DOCKER });
      for (const address of gateways.map(addressBytes)) {
        for (const protocol of ["udp", "tcp"] as const)
          writeNewRule(writer, gatewayTable, hook, [
            ...toServer(address, protocol, DNS_PORT),
            destinationNat(address, DNS_PORT),
          ]);
      }
    }
  });
}

/** Cuts the namespace of the calling thread off, or no longer. */
export function cutInside(cut: boolean, owner?: TableOwner): void {
  if (!cut) {
    removeOurs([cutTable], owner);
    return;
  }
  replaceTable(cutTable, owner, ({ writer }) => {
    for (const hook of ["input", "output"] as const) {
      writeNewChain(writer, { table: cutTable, name: hook, type: "filter", hook, priority: FIRST });
      const loopback = hook === "input" ? inputInterface(LOOPBACK_INDEX) : outputInterface(LOOPBACK_INDEX);
      writeNewRule(writer, cutTable, hook, [loopback, verdict("accept")]);
      // As in the hold: a container in quarantine must start. It gets as far as the port, where that is cut.
      if (hook === "output")
        writeNewRule(writer, cutTable, hook, [ipv6(), ...announcement(), verdict("accept")]);
      writeNewRule(writer, cutTable, hook, [verdict("drop")]);
    }
  });
}

/** Whether the namespace of the calling thread is cut off, read from the kernel. */
export function isCutInside(owner?: TableOwner): boolean {
  return withSocket(owner, (socket) => isTableThere(socket, cutTable, nameOf(cutTable)));
}

function replaceTable(
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

/**
 * Tries the table in a namespace of its own. Without the privilege to make one, this learns nothing: the problem then
 * names each container that cannot be captured, and all the rest is guarded.
 * @throws KERNEL_UNSUPPORTED when this kernel has no such table.
 */
export function probeSandboxTable(): void {
  try {
    withNewNamespace(() => installSandboxTable({ udpPort: 1, tcpPort: 1 }));
  } catch (error) {
    if (error instanceof DockerwallError && error.code === "NO_PRIVILEGE") return;
    throw new DockerwallError(
      "KERNEL_UNSUPPORTED",
      `the kernel lacks nf_tables with nat, which the capture of lookups inside containers needs (${messageOf(error)}); run modprobe nft_chain_nat nft_nat on the host, or use a kernel that has them`,
      { cause: error },
    );
  }
}

/** Takes our tables out of the namespace of the calling thread; none there is no error. */
export function removeSandboxTables(owner?: TableOwner): void {
  removeOurs([sandboxTable, holdTable, gatewayTable, foreignTable], owner);
}

/** The same with what cuts it off. */
export function removeAllSandboxTables(): void {
  removeOurs([sandboxTable, holdTable, gatewayTable, foreignTable, cutTable], undefined);
}

function removeOurs(tables: readonly NftTable[], owner: TableOwner | undefined): void {
  withSocket(owner, (socket) => removeTables(socket, tables, "our tables from a sandbox"));
}

function nameOf({ name }: NftTable): string {
  return `the table ${name} in a sandbox`;
}

function writeCapture({ writer }: NetlinkSocket, ports: SandboxPorts): void {
  writeNewChain(writer, {
    table: sandboxTable,
    name: "capture",
    type: "nat",
    hook: "output",
    priority: BEFORE_DOCKER,
  });
  for (const [protocol, port] of portsByProtocol(ports)) {
    writeNewRule(writer, sandboxTable, "capture", [
      ...toResolver(protocol, DNS_PORT),
      destinationNat(resolver, port),
    ]);
  }
}

function writeGuard({ writer }: NetlinkSocket, ports: SandboxPorts): void {
  writeNewChain(writer, {
    table: sandboxTable,
    name: "guard",
    type: "filter",
    hook: "input",
    priority: LAST,
  });
  for (const [protocol, port] of portsByProtocol(ports)) {
    writeNewRule(writer, sandboxTable, "guard", [
      inputInterface(LOOPBACK_INDEX),
      ...toResolver(protocol, port),
      verdict("accept"),
    ]);
  }
  writeNewRule(writer, sandboxTable, "guard", [destinationAddress(resolver), verdict("drop")]);
}

function toResolver(protocol: Protocol, port: number): Expression[] {
  return toServer(resolver, protocol, port);
}

function toServer(address: Uint8Array, protocol: Protocol, port: number): Expression[] {
  return [destinationAddress(address), transportProtocol(protocolNumbers[protocol]), destinationPort(port)];
}

function portsByProtocol({
  udpPort,
  tcpPort,
}: SandboxPorts): (readonly [protocol: Protocol, port: number])[] {
  return [["udp", udpPort] as const, ["tcp", tcpPort] as const].flatMap(([protocol, port]) =>
    port === undefined ? [] : [[protocol, port] as const],
  );
}

function withSocket<T>(owner: TableOwner | undefined, work: (socket: NetlinkSocket) => T): T {
  return owner === undefined ? withNetlink(NETLINK_NETFILTER, "the tables of a sandbox", work) : work(owner);
}
