// The addresses of the host itself, on every interface. Those of one without a carrier count too, which Node leaves out:
// Docker's own bridges are without one while no container is on them, and still answer.

import type { IpAddress } from "../../core/model/address.ts";
import { AF_UNSPEC } from "../kernel/libc.ts";
import { readInterfaceAddress, writeGetAddresses } from "../kernel/netlink/addresses.ts";
import { NETLINK_ROUTE, openNetlink } from "../kernel/netlink/socket.ts";

/** Without repetitions. @throws DockerwallError KERNEL_REFUSED */
export function listHostAddresses(): readonly IpAddress[] {
  const socket = openNetlink(NETLINK_ROUTE, "addresses of the host");
  const found = new Set<IpAddress>();
  try {
    writeGetAddresses(socket.writer, AF_UNSPEC);
    socket.dump(
      "the addresses of the host",
      () => found.clear(),
      (message) => {
        const address = readInterfaceAddress(message)?.address;
        if (address !== undefined) found.add(address);
      },
    );
  } finally {
    socket.close();
  }
  return [...found];
}
