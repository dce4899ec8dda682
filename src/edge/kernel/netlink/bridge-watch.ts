// Reports at once when a device that is not a container's joins or leaves a bridge.

import { isPlainPort } from "../../../core/classify/bridge-ports.ts";
import { contain } from "../../../core/contain.ts";
import type { Readiness } from "../readiness.ts";
import { eachAttribute, readText } from "./message.ts";
import { NETLINK_ROUTE, openNetlink } from "./socket.ts";

/** RTMGRP_LINK, RTMGRP_IPV4_ROUTE and RTMGRP_IPV6_ROUTE, include/uapi/linux/rtnetlink.h */
const GROUPS = 0x1 | 0x40 | 0x400;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
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
    const overflows = socket.receive(({ type, view, start, end }) => {
      if (type === RTM_NEWROUTE || type === RTM_DELROUTE) {
        concerned ||= view.getUint8(start + PREFIX_LENGTH_AT) === 0;
      } else if (type === RTM_NEWLINK || type === RTM_DELLINK) {
        let name = "";
        let isPort = false;
        eachAttribute(view, start + LINK_HEADER, end, (attribute, from, to) => {
          if (attribute === IFLA_IFNAME) name = readText(view, from, to);
          if (attribute === IFLA_MASTER) isPort = true;
        });
        concerned ||= isPort && !isPlainPort(name);
      }
    });
    if (concerned || overflows > 0) onChange();
  };
  readiness.watch(socket.fd, () => contain(look, onFailure));
}
