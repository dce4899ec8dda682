// UDP sockets on the host that share a port: one for every address and interface, and one for each guarded bridge,
// which the kernel prefers for packets from that bridge. A reply that cannot be delivered (nothing answers for the
// address) waits in the kernel for three seconds and counts against its socket, and a full socket cannot send at all.
// So each network has its own socket, with room for everything that may wait: 208 KiB per address (unres_qlen_bytes).
// @see socket(7), net/core/neighbour.c

import { addressBytes, familyOf, type IpAddress } from "../../core/model/address.ts";
import * as libc from "../kernel/libc.ts";
import { socketAddress } from "../kernel/socket-address.ts";

/** The kernel takes it twice: all nine addresses of 17 containers that take no answer. Used only where they do. */
const SEND_QUEUE_BYTES = 16 << 20;
/** A second of questions at what we answer in one; see the sockets in sandboxes. */
const RECEIVE_QUEUE_BYTES = 12 << 20;

export interface HostUdp {
  readonly address: IpAddress;
  /** 0 has the kernel choose. */
  readonly port: number;
  /** The interface that it is for; undefined for all. */
  readonly device?: string;
  /** True where sockets of ours have the port already, which it joins. */
  readonly joins?: boolean;
}

/**
 * A bound socket. The first for all interfaces is bound without SO_REUSEPORT, and so finds out whether the port is another
 * program's; with it afterwards, nobody can share the port but who has our user id, as our own sockets for bridges do.
 * @throws SystemCallError, with EADDRINUSE where the port is another program's
 */
export function openHostUdp({ address, port, device, joins = device !== undefined }: HostUdp): number {
  const family = familyOf(address);
  const what = `UDP port ${port}${device === undefined ? "" : ` of ${device}`}`;
  const fd = libc.socket(family === 4 ? libc.AF_INET : libc.AF_INET6, libc.SOCK_DGRAM, 0, what);
  try {
    if (family === 6) libc.setsockopt(fd, libc.IPV6_V6ONLY, 1, what);
    if (joins) libc.setsockopt(fd, libc.SO_REUSEPORT, 1, what);
    if (device !== undefined) libc.bindToDevice(fd, device, what);
    libc.bind(fd, socketAddress(addressBytes(address), port), what);
    if (!joins) libc.setsockopt(fd, libc.SO_REUSEPORT, 1, what);
    libc.setsockopt(fd, libc.SO_SNDBUFFORCE, SEND_QUEUE_BYTES, what);
    libc.setsockopt(fd, libc.SO_RCVBUFFORCE, RECEIVE_QUEUE_BYTES, what);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
