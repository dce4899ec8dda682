// Reports at once when the host gets or loses an address.

import { contain } from "../../core/contain.ts";
import { NETLINK_ROUTE, openNetlink } from "../kernel/netlink/socket.ts";
import type { Readiness } from "../kernel/readiness.ts";

/** RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR, include/uapi/linux/rtnetlink.h */
const GROUPS = 0x10 | 0x100;

export interface HostAddressWatchOptions {
  readonly readiness: Readiness;
  /** Called once for all changes that have been told by then. */
  readonly onChange: () => void;
  /** Called with why what the kernel told could not be read, or not be followed. The watch goes on. */
  readonly onFailure: (error: unknown) => void;
}

/** Watches until the readiness is closed. @throws DockerwallError NO_PRIVILEGE, KERNEL_REFUSED */
export function watchHostAddresses({ readiness, onChange, onFailure }: HostAddressWatchOptions): void {
  const socket = openNetlink(NETLINK_ROUTE, "changes of the host's addresses", GROUPS);
  const look = (): void => {
    let isTold = false;
    const overflows = socket.receive(() => {
      isTold = true;
    });
    if (isTold || overflows > 0) onChange();
  };
  readiness.watch(socket.fd, () => contain(look, onFailure));
}
