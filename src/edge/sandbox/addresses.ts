// Which addresses a sandbox has: by them a container that just appeared is known before the engine tells of it. With
// NET_ADMIN a container has as many as it likes, so only the first of them are read, and few of those are kept.

import { addressFromBytes, type IpAddress } from "../../core/model/address.ts";
import { AF_INET, AF_INET6 } from "../kernel/libc.ts";
import {
  eachAttribute,
  type NetlinkMessage,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readBytes,
  readHostInt,
} from "../kernel/netlink/message.ts";
import { NETLINK_ROUTE, NetlinkSocket, openNetlink } from "../kernel/netlink/socket.ts";
import { withNamespace } from "../kernel/netns.ts";
import { LOOPBACK_INDEX } from "./sockets.ts";

const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
/** struct ifaddrmsg: family, prefix length, flags, scope, interface index (4 bytes). */
const HEADER_SIZE = 8;
const SCOPE_AT = 3;
const INDEX_AT = 4;
/** RT_SCOPE_LINK; link-local and host scopes are this and above. */
const SCOPE_LINK = 253;

/** An address, and the index of the interface that has it. */
export interface SandboxAddress {
  readonly address: IpAddress;
  readonly index: number;
}

/** Of one family, those of loopback among them. */
const mostRead = 1024;
const mostPerInterface = 16;
const mostInterfaces = 64;
/** Notifications that are taken off a socket at a time. */
const mostNotifications = 256;

/**
 * The addresses of a sandbox by which others know it: no loopback, no link-local; the first of each interface. Takes
 * pending notifications off the socket first, so that it is readable again only when something changes after this.
 * @param addressFd of openSandboxSockets()
 */
export function readAddresses(addressFd: number, namespaceFd: number): SandboxAddress[] {
  new NetlinkSocket(addressFd, "addresses of a sandbox").receive(() => undefined, mostNotifications);
  return withNamespace(namespaceFd, () => [...readFamily(AF_INET), ...readFamily(AF_INET6)]);
}

/** Each with a socket of its own, as the rest of what is not read stays in it. */
function readFamily(family: number): SandboxAddress[] {
  const byInterface = new Map<number, SandboxAddress[]>();
  const socket = openNetlink(NETLINK_ROUTE, "addresses of a sandbox");
  try {
    const header = new Uint8Array(HEADER_SIZE);
    header[0] = family;
    socket.writer.message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP).raw(header);
    socket.dumpFirst("the addresses of a sandbox", mostRead, (message) => {
      const found = addressIn(message);
      if (found === undefined) return;
      const its = byInterface.get(found.index) ?? [];
      if (its.length < mostPerInterface && (its.length > 0 || byInterface.size < mostInterfaces))
        byInterface.set(found.index, [...its, found]);
    });
  } finally {
    socket.close();
  }
  return [...byInterface.values()].flat();
}

function addressIn({ type, view, start, end }: NetlinkMessage): SandboxAddress | undefined {
  if (type !== RTM_NEWADDR || start + HEADER_SIZE > end) return undefined;
  const family = view.getUint8(start);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  if (view.getUint8(start + SCOPE_AT) >= SCOPE_LINK) return undefined;
  const index = readHostInt(view, start + INDEX_AT);
  if (index === LOOPBACK_INDEX) return undefined;
  let local: Uint8Array | undefined;
  let address: Uint8Array | undefined;
  eachAttribute(view, start + HEADER_SIZE, end, (attribute, from, to) => {
    if (attribute === IFA_LOCAL) local = readBytes(view, from, to);
    if (attribute === IFA_ADDRESS) address = readBytes(view, from, to);
  });
  // On a point-to-point link the "address" is the other side's.
  const bytes = local ?? address;
  const found = bytes === undefined ? undefined : addressFromBytes(bytes);
  return found === undefined ? undefined : { address: found, index };
}
