// The table for containers that are hosts themselves (kind, k3d). They rewrite Docker's rules so that the gateway's
// address means Docker's resolver, for themselves and for those inside of them:
//
//   pin  A question to port 53 of the gateway goes to the gateway, where the host leads it to us. It is translated to
//        what it is already, before Docker's own rules or what became of them: the first translation is final.

import { gatewayTable } from "../../../core/firewall/names.ts";
import { addressBytes, type IpAddress } from "../../../core/model/address.ts";
import { type Protocol, protocolNumbers } from "../../../core/model/service.ts";
import { destinationAddress, destinationPort } from "../../kernel/nftables/expressions/headers.ts";
import { transportProtocol } from "../../kernel/nftables/expressions/meta.ts";
import type { Expression } from "../../kernel/nftables/expressions/registers.ts";
import { destinationNat } from "../../kernel/nftables/expressions/statements.ts";
import { writeNewChain, writeNewRule } from "../../kernel/nftables/write.ts";
import { removeOurs, replaceTable, type TableOwner } from "./own-tables.ts";

export const DNS_PORT = 53;
/** Docker's is -100 (NF_IP_PRI_NAT_DST). */
export const BEFORE_DOCKER = -101;

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

/** A packet of this protocol to a port of a server of IPv4. */
export function toServer(address: Uint8Array, protocol: Protocol, port: number): Expression[] {
  return [destinationAddress(address), transportProtocol(protocolNumbers[protocol]), destinationPort(port)];
}
