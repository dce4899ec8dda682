// Messages of neighbour discovery (RFC 4861), and where they go.

import { addressAt, PAYLOAD_NETWORK } from "../numbers.ts";
import { addressIn, PAYLOAD_TRANSPORT, payloadIn, payloadIs } from "./headers.ts";
import { ipv6, transportProtocol } from "./meta.ts";
import { COMPARE_NOT_EQUAL, type Expression } from "./registers.ts";

/** Next header of IPv6, and a type of it. */
export const ICMPV6 = 58;
export const NEIGHBOUR_ADVERTISEMENT = 136;
/** Types of it: neighbour solicitation and advertisement; reports of groups, as old and as new hosts send them. */
export const discoveryMessages = [135, NEIGHBOUR_ADVERTISEMENT, 131, 132, 143] as const;
/** Where the address that it is about lies in the message. */
const TARGET = 8;
/** ff02::1 */
const allNodes = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** `icmpv6 type TYPE`, after transportProtocol(). */
export function messageType(type: number): Expression {
  return payloadIs(PAYLOAD_TRANSPORT, 0, Uint8Array.of(type));
}

/** What a message of neighbour discovery is about; after messageType(). */
export function targetIs(address: Uint8Array): Expression {
  return payloadIs(PAYLOAD_TRANSPORT, TARGET, address);
}

/** What a message of neighbour discovery is about is another address; after messageType(). */
export function targetIsNot(address: Uint8Array): Expression {
  const place = { base: PAYLOAD_TRANSPORT, offset: TARGET, how: COMPARE_NOT_EQUAL };
  return payloadIn(place, address, address.length * 8);
}

/** `ip6 daddr ff02::/16`, in a table of both families */
export function linkLocalMulticast(): readonly Expression[] {
  return [ipv6(), payloadIs(PAYLOAD_NETWORK, addressAt.ip6Destination, Uint8Array.of(0xff, 2))];
}

/** `ip6 daddr ff02::1 icmpv6 type nd-neighbor-advert`, of IPv6: an address that is new, to all on the link */
export function announcement(): readonly Expression[] {
  return [
    addressIn("ip6Destination", allNodes, 128),
    transportProtocol(ICMPV6),
    messageType(NEIGHBOUR_ADVERTISEMENT),
  ];
}
