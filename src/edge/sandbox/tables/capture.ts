// The table that redirects the container's questions to our own sockets, which are at the resolver's address too, on other
// ports. So it needs no routing of loopback addresses, no masquerade and no reserved address, and the client still sees
// its answer come from 127.0.0.11:53.
//
//   capture  Runs before Docker's own NAT of the same packets (priority -100); the first translation of a flow is
//            final, so Docker's rules may come before or after ours, by iptables-nft or iptables-legacy.
//   guard    Docker's resolver itself listens at 127.0.0.11 on two other ports, and would answer questions sent there.
//            The guard is at input, which every packet to a local socket passes, even one that was put on a wire by
//            hand; and it needs no conntrack state, which a forged first packet could turn round. It comes last of all:
//            otherwise a container with NET_ADMIN could redirect packets to Docker's ports after the guard.

import { sandboxTable } from "../../../core/firewall/names.ts";
import type { Protocol } from "../../../core/model/service.ts";
import { DockerwallError, messageOf } from "../../../errors.ts";
import type { NetlinkSocket } from "../../kernel/netlink/socket.ts";
import { withNewNamespace } from "../../kernel/netns.ts";
import { destinationAddress } from "../../kernel/nftables/expressions/headers.ts";
import { inputInterface } from "../../kernel/nftables/expressions/meta.ts";
import type { Expression } from "../../kernel/nftables/expressions/registers.ts";
import { destinationNat, verdict } from "../../kernel/nftables/expressions/statements.ts";
import { writeNewChain, writeNewRule } from "../../kernel/nftables/write.ts";
import { LOOPBACK_INDEX, resolverBytes as resolver } from "../sockets.ts";
import { BEFORE_DOCKER, DNS_PORT, toServer } from "./gateways.ts";
import { replaceTable, type TableOwner } from "./own-tables.ts";

/** A chain that comes later with the same priority is put before it (nf_hook_entries_grow()). */
const LAST = 0x7fff_ffff;

/** Where our sockets are; undefined where there is none: what is asked there gets no answer, ours or another. */
export interface SandboxPorts {
  readonly udpPort: number | undefined;
  readonly tcpPort: number | undefined;
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

function portsByProtocol({
  udpPort,
  tcpPort,
}: SandboxPorts): (readonly [protocol: Protocol, port: number])[] {
  return [["udp", udpPort] as const, ["tcp", tcpPort] as const].flatMap(([protocol, port]) =>
    port === undefined ? [] : [[protocol, port] as const],
  );
}
