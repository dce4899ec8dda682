// Our nft table inside a container's sandbox. It turns what the container asks its resolver to our own sockets, which
// are at the resolver's address too, on other ports. So it needs no routing of loopback addresses, no masquerade and no
// reserved address, and the client still sees its answer come from 127.0.0.11:53.
//
//   capture  Runs before Docker's own NAT of the same packets (priority -100); the first translation of a flow is
//            final, so Docker's rules may come before or after ours, by iptables-nft or iptables-legacy.
//   guard    Docker's resolver itself listens at 127.0.0.11 on two other ports, and would answer who asks it there.
//            It stands at input, where every packet to a local socket passes, also one that was put on a wire by
//            hand; and it needs no conntrack state, which a forged first packet could turn round. It comes last of
//            all: a container with NET_ADMIN could turn to Docker's ports what the guard has let pass before.
//
// The table belongs to a socket of ours that stays open, so that NET_ADMIN in the container cannot take it away; and
// it persists, so that it outlives us. Kernels before 6.9 cannot do both, and there it belongs to nobody.

import { DockerwallError, messageOf } from "../errors.ts";
import { sandboxTable } from "../firewall/names.ts";
import { type Protocol, protocolNumbers } from "../model/service.ts";
import { ENOENT } from "./libc.ts";
import { NETLINK_NETFILTER, NetlinkError, type NetlinkSocket, openNetlink } from "./netlink.ts";
import { withNewNamespace } from "./netns.ts";
import {
  destinationAddress,
  destinationNat,
  destinationPort,
  type Expression,
  inputInterface,
  tableFlags,
  transportProtocol,
  verdict,
  writeBatch,
  writeDeleteTable,
  writeGetTable,
  writeNewChain,
  writeNewRule,
  writeNewTable,
} from "./nft-message.ts";
import { LOOPBACK_INDEX, resolverBytes as resolver } from "./sandbox-sockets.ts";

const DNS_PORT = 53;
/** Docker's is -100 (NF_IP_PRI_NAT_DST). */
const BEFORE_DOCKER = -101;
/** A chain that comes later with the same priority is put before it (nf_hook_entries_grow()). */
const LAST = 0x7fff_ffff;

export interface SandboxPorts {
  readonly udpPort: number;
  readonly tcpPort: number;
}

/** To whom the table of one sandbox belongs. */
export type TableOwner = NetlinkSocket;

/** In the namespace of the calling thread; to be closed by closeLater(), after which the table belongs to nobody. */
export function openTableOwner(): TableOwner {
  return openNetlink(NETLINK_NETFILTER, "the table of a sandbox");
}

/**
 * Puts the table into the namespace of the calling thread (see withNamespace), in place of an older one, in one step.
 * A flow that was translated before stays as it was, and the guard stops it: see forgetResolverFlows().
 * @param owner without one, or on an old kernel, the table belongs to nobody
 * @throws NetlinkError; KERNEL_UNSUPPORTED without nftables
 */
export function installSandboxTable(ports: SandboxPorts, owner?: TableOwner): void {
  withSocket(owner, (socket) => {
    try {
      install(
        socket,
        ports,
        owner === undefined ? tableFlags.none : tableFlags.owned | tableFlags.persistent,
      );
    } catch (error) {
      if (owner === undefined || !(error instanceof NetlinkError) || error.code !== "KERNEL_UNSUPPORTED")
        throw error;
      install(socket, ports, tableFlags.none);
    }
  });
}

/** Tries the table in a namespace of its own. @throws KERNEL_UNSUPPORTED when this kernel has no such table. */
export function probeSandboxTable(): void {
  try {
    withNewNamespace(() => installSandboxTable({ udpPort: 1, tcpPort: 1 }));
  } catch (error) {
    throw new DockerwallError(
      "KERNEL_UNSUPPORTED",
      `the kernel lacks nf_tables with nat, which the capture of lookups inside containers needs (${messageOf(error)}); run modprobe nft_chain_nat nft_nat on the host, or use a kernel that has them`,
      { cause: error },
    );
  }
}

function install(socket: NetlinkSocket, ports: SandboxPorts, flags: number): void {
  const replaced = isPresent(socket);
  writeBatch(socket.writer.reset(), () => {
    if (replaced) writeDeleteTable(socket.writer, sandboxTable);
    writeNewTable(socket.writer, sandboxTable, flags);
    writeCapture(socket, ports);
    writeGuard(socket, ports);
  });
  socket.request(`the table ${sandboxTable} in a sandbox`);
}

/** Takes the table out of the namespace of the calling thread; none there is no error. */
export function removeSandboxTable(owner?: TableOwner): void {
  withSocket(owner, (socket) => {
    if (!isPresent(socket)) return;
    writeBatch(socket.writer.reset(), () => writeDeleteTable(socket.writer, sandboxTable));
    socket.request(`to remove the table ${sandboxTable} from a sandbox`);
  });
}

function isPresent(socket: NetlinkSocket): boolean {
  writeGetTable(socket.writer.reset(), sandboxTable);
  try {
    socket.request(`the table ${sandboxTable} in a sandbox`);
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENOENT) return false;
    throw error;
  }
}

function writeCapture({ writer }: NetlinkSocket, ports: SandboxPorts): void {
  writeNewChain(writer, {
    table: sandboxTable,
    name: "capture",
    type: "nat",
    hook: "output",
    priority: BEFORE_DOCKER,
  });
  for (const protocol of ["udp", "tcp"] as const) {
    writeNewRule(writer, sandboxTable, "capture", [
      ...toResolver(protocol, DNS_PORT),
      destinationNat(resolver, portFor(ports, protocol)),
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
  for (const protocol of ["udp", "tcp"] as const) {
    writeNewRule(writer, sandboxTable, "guard", [
      inputInterface(LOOPBACK_INDEX),
      ...toResolver(protocol, portFor(ports, protocol)),
      verdict("accept"),
    ]);
  }
  writeNewRule(writer, sandboxTable, "guard", [destinationAddress(resolver), verdict("drop")]);
}

function toResolver(protocol: Protocol, port: number): Expression[] {
  return [destinationAddress(resolver), transportProtocol(protocolNumbers[protocol]), destinationPort(port)];
}

function portFor(ports: SandboxPorts, protocol: Protocol): number {
  return protocol === "udp" ? ports.udpPort : ports.tcpPort;
}

function withSocket<T>(owner: TableOwner | undefined, work: (socket: NetlinkSocket) => T): T {
  if (owner !== undefined) return work(owner);
  const socket = openNetlink(NETLINK_NETFILTER, "the tables of a sandbox");
  try {
    return work(socket);
  } finally {
    socket.closeLater();
  }
}
