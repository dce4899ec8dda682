// The addresses of a sandbox: they identify a new container before the engine reports it, and let it send. With
// NET_ADMIN a container can have any number of addresses, so only the first of them are read, and few of those are
// kept.

import type { SandboxInterface } from "../../core/askers/foreign-interfaces.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { AF_INET, AF_INET6 } from "../kernel/libc.ts";
import {
  type InterfaceAddress,
  readInterfaceAddress,
  writeGetAddresses,
} from "../kernel/netlink/addresses.ts";
import { readLinkEvent, writeGetLinks } from "../kernel/netlink/links.ts";
import { NETLINK_ROUTE, NetlinkSocket, openNetlink, withNetlink } from "../kernel/netlink/socket.ts";
import { withNamespace } from "../kernel/netns.ts";
import { LOOPBACK_INDEX } from "./sockets.ts";

/** Another host on the link has it: the kernel does not use it. */
const IFA_F_DADFAILED = 8;
/** RT_SCOPE_LINK; host scopes are above. */
const SCOPE_LINK = 253;

/** An address, and the index of the interface that has it. */
export interface SandboxAddress {
  readonly address: IpAddress;
  readonly index: number;
}

export interface FoundAddresses {
  /** By which others know it: no loopback, no link-local. */
  readonly addresses: readonly SandboxAddress[];
  /** Of IPv6, those among them that the kernel is still looking whether they are free. */
  readonly linkLocal: readonly SandboxAddress[];
}

/** What a sandbox has, as its kernel tells of it. */
export interface FoundInside extends FoundAddresses {
  /** All but its loopback, with addresses or not. */
  readonly interfaces: readonly SandboxInterface[];
}

export interface SandboxAddresses extends FoundInside {
  /** False where it may have more: what is not among these may be on it all the same. */
  readonly isWhole: boolean;
}

/** Of one that was not looked into yet. */
export const unreadAddresses: SandboxAddresses = {
  addresses: [],
  linkLocal: [],
  interfaces: [],
  isWhole: false,
};

/** Of one family, those of loopback among them; and of interfaces. */
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
 * @param addressFd of openAddressSocket()
 */
export function readAddresses(addressFd: number, namespaceFd: number): SandboxAddresses {
  new NetlinkSocket(addressFd, "addresses of a sandbox").receive(() => undefined, mostNotifications);
  return withNamespace(namespaceFd, () => {
    const of4 = readFamily(AF_INET);
    const of6 = readFamily(AF_INET6);
    return {
      addresses: [...of4.addresses, ...of6.addresses],
      linkLocal: of6.linkLocal,
      interfaces: readInterfaces(),
      isWhole: of4.isWhole && of6.isWhole,
    };
  });
}

/** Each with a socket of its own, as the rest of what is not read stays in it. */
function readFamily(family: number): Omit<SandboxAddresses, "interfaces"> {
  const addresses = new FirstOfEach(mostPerInterface);
  const linkLocal = new FirstOfEach(mostLinkLocalPerInterface);
  const socket = openNetlink(NETLINK_ROUTE, "addresses of a sandbox");
  let wereAll = false;
  try {
    writeGetAddresses(socket.writer, family);
    wereAll = socket.dumpFirst("the addresses of a sandbox", mostRead, (message) => {
      const found = readInterfaceAddress(message);
      // Asked for a family that it does not have, a kernel tells of all others.
      if (found?.family !== family || !mayBeItsOwn(found)) return;
      (found.scope === SCOPE_LINK ? linkLocal : addresses).add(found);
    });
  } finally {
    socket.close();
  }
  return {
    addresses: addresses.list(),
    linkLocal: linkLocal.list(),
    isWhole: wereAll && addresses.areAll && linkLocal.areAll,
  };
}

function readInterfaces(): readonly SandboxInterface[] {
  const found: SandboxInterface[] = [];
  withNetlink(NETLINK_ROUTE, "the interfaces of a sandbox", (socket) => {
    writeGetLinks(socket.writer);
    socket.dumpFirst("the interfaces of a sandbox", mostRead, (message) => {
      const event = readLinkEvent(message);
      if (event?.kind === "link" && event.link.index !== LOOPBACK_INDEX) found.push(event.link);
    });
  });
  return found;
}

class FirstOfEach {
  readonly #mostPerInterface: number;
  areAll = true;
  readonly #byInterface = new Map<number, SandboxAddress[]>();

  constructor(mostPerInterface: number) {
    this.#mostPerInterface = mostPerInterface;
  }

  add({ address, index }: SandboxAddress): void {
    const its = this.#byInterface.get(index) ?? [];
    const isFirst = its.length === 0;
    if (its.length < this.#mostPerInterface && !(isFirst && this.#byInterface.size >= mostInterfaces))
      this.#byInterface.set(index, [...its, { address, index }]);
    else this.areAll = false;
  }

  list(): SandboxAddress[] {
    return [...this.#byInterface.values()].flat();
  }
}

/** Of a scope by which others may know it, not on loopback, and not another's on the link. */
function mayBeItsOwn({ family, scope, index, flags }: InterfaceAddress): boolean {
  if (family !== AF_INET && family !== AF_INET6) return false;
  if (scope > SCOPE_LINK || index === LOOPBACK_INDEX) return false;
  if (scope < SCOPE_LINK) return true;
  // An address of IPv4 is of the link when the program that put it on says so.
  return family === AF_INET6 && (flags & IFA_F_DADFAILED) === 0;
}
