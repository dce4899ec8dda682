// The addresses of a sandbox: they identify a new container before the engine reports it, and let it send. With
// NET_ADMIN a container can have any number of addresses, so only the first of them are read, and few of those are
// kept.

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
const IFA_FLAGS = 8;
/** Somebody else on the link has it: the kernel does not use it. */
const IFA_F_DADFAILED = 8;
/** struct ifaddrmsg: family, prefix length, flags, scope, interface index (4 bytes). */
const HEADER_SIZE = 8;
const FLAGS_AT = 2;
const SCOPE_AT = 3;
const INDEX_AT = 4;
/** RT_SCOPE_LINK; host scopes are above. */
const SCOPE_LINK = 253;

/** An address, and the index of the interface that has it. */
export interface SandboxAddress {
  readonly address: IpAddress;
  readonly index: number;
}

export interface SandboxAddresses {
  /** By which others know it: no loopback, no link-local. */
  readonly addresses: readonly SandboxAddress[];
  /** Of IPv6, those among them that the kernel is still looking whether they are free. */
  readonly linkLocal: readonly SandboxAddress[];
}

/** Of one family, those of loopback among them. */
const mostRead = 1024;
/** The kernel gives one to each interface. */
const mostLinkLocalPerInterface = 4;
const mostPerInterface = 16;
const mostInterfaces = 64;
/** Notifications that are taken off a socket at a time. */
const mostNotifications = 256;

/**
 * The addresses of a sandbox, the first of each interface. Takes pending notifications off the socket first, so that it
 * is readable again only when something changes after this.
 * @param addressFd of openSandboxSockets()
 */
export function readAddresses(addressFd: number, namespaceFd: number): SandboxAddresses {
  new NetlinkSocket(addressFd, "addresses of a sandbox").receive(() => undefined, mostNotifications);
  return withNamespace(namespaceFd, () => {
    const of4 = readFamily(AF_INET);
    const of6 = readFamily(AF_INET6);
    return { addresses: [...of4.addresses, ...of6.addresses], linkLocal: of6.linkLocal };
  });
}

/** Each with a socket of its own, as the rest of what is not read stays in it. */
function readFamily(family: number): SandboxAddresses {
  const addresses = new FirstOfEach(mostPerInterface);
  const linkLocal = new FirstOfEach(mostLinkLocalPerInterface);
  const socket = openNetlink(NETLINK_ROUTE, "addresses of a sandbox");
  try {
    const header = new Uint8Array(HEADER_SIZE);
    header[0] = family;
    socket.writer.message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP).raw(header);
    socket.dumpFirst("the addresses of a sandbox", mostRead, (message) => {
      const found = addressIn(message);
      if (found !== undefined) (found.scope === SCOPE_LINK ? linkLocal : addresses).add(found);
    });
  } finally {
    socket.close();
  }
  return { addresses: addresses.list(), linkLocal: linkLocal.list() };
}

class FirstOfEach {
  readonly #mostPerInterface: number;
  readonly #byInterface = new Map<number, SandboxAddress[]>();

  constructor(mostPerInterface: number) {
    this.#mostPerInterface = mostPerInterface;
  }

  add({ address, index }: SandboxAddress): void {
    const its = this.#byInterface.get(index) ?? [];
    if (its.length >= this.#mostPerInterface) return;
    if (its.length > 0 || this.#byInterface.size < mostInterfaces)
      this.#byInterface.set(index, [...its, { address, index }]);
  }

  list(): SandboxAddress[] {
    return [...this.#byInterface.values()].flat();
  }
}

function addressIn({
  type,
  view,
  start,
  end,
}: NetlinkMessage): (SandboxAddress & { readonly scope: number }) | undefined {
  if (type !== RTM_NEWADDR || start + HEADER_SIZE > end) return undefined;
  const family = view.getUint8(start);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const scope = view.getUint8(start + SCOPE_AT);
  // An address of IPv4 is of the link when whoever put it on says so.
  if (scope > SCOPE_LINK || (scope === SCOPE_LINK && family === AF_INET)) return undefined;
  const index = readHostInt(view, start + INDEX_AT);
  if (index === LOOPBACK_INDEX) return undefined;
  let local: Uint8Array | undefined;
  let address: Uint8Array | undefined;
  let flags = view.getUint8(start + FLAGS_AT);
  eachAttribute(view, start + HEADER_SIZE, end, (attribute, from, to) => {
    if (attribute === IFA_LOCAL) local = readBytes(view, from, to);
    if (attribute === IFA_ADDRESS) address = readBytes(view, from, to);
    if (attribute === IFA_FLAGS) flags = readHostInt(view, from);
  });
  // On a point-to-point link the "address" is the other side's.
  const bytes = local ?? address;
  if (family === AF_INET6 && scope === SCOPE_LINK && (flags & IFA_F_DADFAILED) !== 0) return undefined;
  const found = bytes === undefined ? undefined : addressFromBytes(bytes);
  return found === undefined ? undefined : { address: found, index, scope };
}
