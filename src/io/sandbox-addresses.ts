// Which addresses a sandbox has: by them a container that just appeared is known before the engine tells of it.

import { addressFromBytes, type IpAddress } from "../model/address.ts";
import { AF_INET, AF_INET6 } from "./libc.ts";
import { NetlinkSocket } from "./netlink.ts";
import {
  eachAttribute,
  type NetlinkMessage,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readBytes,
  readHostInt,
} from "./netlink-message.ts";
import { LOOPBACK_INDEX } from "./sandbox-sockets.ts";

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

/**
 * The addresses of a sandbox by which others know it: no loopback, no link-local. Takes the pending notifications off
 * the socket first, so that it is readable again only when something changes after this.
 * @param addressFd of openSandboxSockets()
 */
export function readAddresses(addressFd: number): SandboxAddress[] {
  const socket = new NetlinkSocket(addressFd, "addresses of a sandbox");
  socket.receive(() => undefined);
  let addresses: SandboxAddress[] = [];
  socket.writer.message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP).raw(new Uint8Array(HEADER_SIZE));
  socket.dump(
    "the addresses of a sandbox",
    () => {
      addresses = [];
    },
    (message) => {
      const address = addressIn(message);
      if (address !== undefined) addresses.push(address);
    },
  );
  return addresses;
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
