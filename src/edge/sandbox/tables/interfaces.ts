// The tables that keep packets from leaving by interfaces. One holds those that leave by an interface that is not known yet:
//
//   hold     An interface that the engine has just put into the sandbox may lead to a network that is not guarded, where
//            the container must be guarded by its addresses before it sends. The hold is at output, which every packet
//            of the container passes except those that are put on a wire by hand. What is dropped there is an error for
//            its sender: it is for guarded containers only where packets from new ports wait on the host.
//
// Another one is at the interfaces that neither the engine nor the container itself has made:
//
//   interface-N  Nothing goes out by the interface with index N, frames that are put on its wire by hand and what the
//                container forwards included. Only ARP does, and what an engine announces: it may have put the interface
//                there for a network that it has not told of yet. Before 5.16 the kernel has no such place: there, the
//                hold alone keeps back what the container's own sockets send.

import { foreignTable, holdTable } from "../../../core/firewall/names.ts";
import { NetlinkError } from "../../kernel/netlink/refusal.ts";
import {
  announcement,
  discoveryMessages,
  ICMPV6,
  linkLocalMulticast,
  messageType,
} from "../../kernel/nftables/expressions/discovery.ts";
import { etherType } from "../../kernel/nftables/expressions/headers.ts";
import { outputInterface, transportProtocol } from "../../kernel/nftables/expressions/meta.ts";
import { verdict } from "../../kernel/nftables/expressions/statements.ts";
import { etherTypes } from "../../kernel/nftables/numbers.ts";
import { writeNewChain, writeNewRule } from "../../kernel/nftables/write.ts";
import { LOOPBACK_INDEX } from "../sockets.ts";
import { FIRST, removeOurs, replaceTable, type TableOwner } from "./own-tables.ts";

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
