// The TCP sockets on the host. We open them ourselves, and Node takes them by their descriptors: by that it can be seen
// when one is destroyed.

import { addressBytes, familyOf, type IpAddress } from "../../core/model/address.ts";
import * as libc from "../kernel/libc.ts";
import { socketAddress } from "../kernel/socket-address.ts";

export interface HostTcp {
  readonly address: IpAddress;
  /** 0 has the kernel choose. */
  readonly port: number;
}

/**
 * A listening socket, beside connections of one that was there before.
 * @param backlog connections that may wait until we accept them; the host may allow fewer (net.core.somaxconn)
 * @throws SystemCallError, with EADDRINUSE where the port is another program's
 */
export function openHostTcp({ address, port }: HostTcp, backlog: number): number {
  const family = familyOf(address);
  const what = `TCP port ${port}`;
  const fd = libc.socket(family === 4 ? libc.AF_INET : libc.AF_INET6, libc.SOCK_STREAM, 0, what);
  try {
    if (family === 6) libc.setsockopt(fd, libc.IPV6_V6ONLY, 1, what);
    libc.setsockopt(fd, libc.SO_REUSEADDR, 1, what);
    libc.bind(fd, socketAddress(addressBytes(address), port), what);
    libc.listen(fd, backlog, what);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
