// Reports at once when a device that is not a container's joins or leaves a bridge, and when one comes or goes that is named
// as the engine's bridges are and is none.

import { isPlainPort } from "../../../core/classify/bridge-ports.ts";
import { contain } from "../../../core/contain.ts";
import { heldPrefix } from "../../../core/firewall/names.ts";
import { AF_UNSPEC } from "../libc.ts";
import type { Readiness } from "../readiness.ts";
import { kindIn, linkAttribute } from "./links.ts";
import { eachAttribute, type NetlinkMessage, readText } from "./message.ts";
import { NETLINK_ROUTE, openNetlink } from "./socket.ts";

/** RTMGRP_LINK, RTMGRP_IPV4_ROUTE and RTMGRP_IPV6_ROUTE, include/uapi/linux/rtnetlink.h */
const GROUPS = 0x1 | 0x40 | 0x400;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
/** struct ifinfomsg. */
const LINK_HEADER = 16;
/** In struct rtmsg: the length of the destination's prefix. */
const PREFIX_LENGTH_AT = 1;

export interface BridgeWatchOptions {
  readonly readiness: Readiness;
  readonly onChange: () => void;
  /** Called with why what the kernel told could not be read: something may have changed. The watch goes on. */
  readonly onFailure: (error: unknown) => void;
}

/** Watches until the readiness is closed. @throws DockerwallError NO_PRIVILEGE, KERNEL_REFUSED */
export function watchBridges({ readiness, onChange, onFailure }: BridgeWatchOptions): void {
  const socket = openNetlink(NETLINK_ROUTE, "changes of bridges", GROUPS);
  const look = (): void => {
    let concerned = false;
    const overflows = socket.receive((message) => {
      const { type, view, start } = message;
      if (type === RTM_NEWROUTE || type === RTM_DELROUTE) {
        concerned ||= view.getUint8(start + PREFIX_LENGTH_AT) === 0;
      } else if (type === RTM_NEWLINK || type === RTM_DELLINK) {
        concerned ||= concernsBridges(readNamed(message));
      }
    });
    if (concerned || overflows > 0) onChange();
  };
  readiness.watch(socket.fd, () => contain(look, onFailure));
}

interface Named {
  readonly name: string;
  readonly isPort: boolean;
  /** What is told of by its bridge has no kind. */
  readonly isOfBridge: boolean;
  readonly kind: string | undefined;
}

function readNamed({ view, start, end }: NetlinkMessage): Named {
  let name = "";
  let isPort = false;
  let kind: string | undefined;
  eachAttribute(view, start + LINK_HEADER, end, (attribute, from, to) => {
    if (attribute === linkAttribute.name) name = readText(view, from, to);
    if (attribute === linkAttribute.master) isPort = true;
    if (attribute === linkAttribute.info) kind = kindIn(view, from, to);
  });
  return { name, isPort, isOfBridge: view.getUint8(start) !== AF_UNSPEC, kind };
}

function concernsBridges({ name, isPort, isOfBridge, kind }: Named): boolean {
  if (isPort) return !isPlainPort(name);
  return !isOfBridge && name.startsWith(heldPrefix) && kind !== "bridge";
}
