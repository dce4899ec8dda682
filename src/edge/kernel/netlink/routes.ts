// Asks the kernel which way a sandbox would send a packet. It looks through the sandbox's rules and routes and picks the
// source address just as it does for a packet, so none of that is done a second time here.
// @see rtnetlink(7), net/ipv4/route.c inet_rtm_getroute(), net/ipv6/route.c inet6_rtm_getroute()

import { constants } from "node:os";
import { addressBytes, addressFromBytes, familyOf, type IpAddress } from "../../../core/model/address.ts";
import type { Destination } from "../../../core/path/way.ts";
import { AF_INET, AF_INET6 } from "../libc.ts";
import { withNamespace } from "../netns.ts";
import { askLink } from "./link-questions.ts";
import type { KernelLink } from "./links.ts";
import {
  eachAttribute,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_REQUEST,
  readBytes,
  readHostInt,
} from "./message.ts";
import { NetlinkError } from "./refusal.ts";
import { NETLINK_ROUTE, type NetlinkSocket, withNetlink } from "./socket.ts";

const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
/** struct rtmsg: family, lengths of destination and source, TOS, table, protocol, scope, type, flags (4 bytes). */
const HEADER_SIZE = 12;
const DESTINATION_LENGTH_AT = 1;
const TYPE_AT = 7;
const attribute = { destination: 1, device: 4, source: 7, protocol: 27, port: 29 } as const;
const RTN_UNICAST = 1;
const RTN_LOCAL = 2;
const RTN_BROADCAST = 3;
const RTN_MULTICAST = 5;

/** What the kernel says where there is no way, or a route forbids it. */
const noWay: ReadonlySet<number> = new Set([
  constants.errno.ENETUNREACH,
  constants.errno.EHOSTUNREACH,
  constants.errno.EACCES,
  constants.errno.EINVAL,
]);

export type KernelRoute =
  | { readonly kind: "inside" }
  | { readonly kind: "none" }
  /** `toAll`: broadcast, or multicast. */
  | { readonly kind: "device"; readonly source: IpAddress; readonly link: KernelLink; readonly toAll?: true };

/** The way from a sandbox to a destination. @throws NetlinkError */
export function readRoute(namespaceFd: number, destination: Destination): KernelRoute {
  return withNamespace(namespaceFd, () =>
    withNetlink(NETLINK_ROUTE, "routes of a sandbox", (socket) => askRoute(socket, destination)),
  );
}

function askRoute(socket: NetlinkSocket, destination: Destination): KernelRoute {
  writeQuestion(socket, destination);
  let found: Found | undefined;
  try {
    socket.request("a route", (message) => {
      found = routeIn(message) ?? found;
    });
  } catch (error) {
    if (error instanceof NetlinkError && noWay.has(error.errno)) return { kind: "none" };
    throw error;
  }
  if (found === undefined) return { kind: "none" };
  const { type, device, source } = found;
  if (type === RTN_LOCAL) return { kind: "inside" };
  const toAll = type === RTN_BROADCAST || type === RTN_MULTICAST;
  const isSent = toAll || type === RTN_UNICAST;
  const link = isSent && device !== undefined ? askLink(socket, device) : undefined;
  if (link === undefined || source === undefined) return { kind: "none" };
  return { kind: "device", source, link, ...(toAll ? { toAll } : {}) };
}

function writeQuestion({ writer }: NetlinkSocket, { address, ipProtocol, port }: Destination): void {
  const bytes = addressBytes(address);
  const header = new Uint8Array(HEADER_SIZE);
  header[0] = familyOf(address) === 4 ? AF_INET : AF_INET6;
  header[DESTINATION_LENGTH_AT] = bytes.length * 8;
  writer
    .reset()
    .message(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_ACK)
    .raw(header)
    .value(attribute.destination, bytes);
  // Rules may go by them.
  if (port !== undefined && (ipProtocol === 6 || ipProtocol === 17))
    writer.u8(attribute.protocol, ipProtocol).u16be(attribute.port, port);
}

interface Found {
  readonly type: number;
  readonly device: number | undefined;
  readonly source: IpAddress | undefined;
}

function routeIn({ type, view, start, end }: NetlinkMessage): Found | undefined {
  if (type !== RTM_NEWROUTE || start + HEADER_SIZE > end) return undefined;
  let device: number | undefined;
  let source: IpAddress | undefined;
  eachAttribute(view, start + HEADER_SIZE, end, (of, from, to) => {
    if (of === attribute.device) device = readHostInt(view, from);
    if (of === attribute.source) source = addressFromBytes(readBytes(view, from, to));
  });
  return { type: view.getUint8(start + TYPE_AT), device, source };
}
