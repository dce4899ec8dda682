// The sockets with which we stand in for Docker's resolver inside a container's sandbox. A socket belongs for life to
// the namespace that it was opened in, so we open it there once and use it from our own threads like any other.

import type { Transport } from "../../core/dns/wire/message.ts";
import { addressFromBytes, type Family, familyOf, type IpAddress } from "../../core/model/address.ts";
import * as libc from "../kernel/libc.ts";
import { hostBytes, NLM_F_ACK, NLM_F_REQUEST } from "../kernel/netlink/message.ts";
import { NETLINK_ROUTE, type NetlinkSocket, openNetlink } from "../kernel/netlink/socket.ts";
import { withNamespace } from "../kernel/netns.ts";
import { portOf, socketAddress } from "../kernel/socket-address.ts";

/** Where Docker's own resolver is for every container. We listen there too, on other ports. */
export const resolverBytes = Uint8Array.of(127, 0, 0, 11);
export const resolverAddress: IpAddress = addressFromBytes(resolverBytes);

/** Where questions of our own come from: the guard drops what is sent to the resolver's address on other ports. */
const loopbackBytes = Uint8Array.of(127, 0, 0, 1);
const BACKLOG = 128;
/**
 * What may wait to be read; the kernel takes it twice, but counts what was read as still there until it is a quarter
 * (udp_rmem_release()), and takes 768 bytes for a question. So 20,000 find room, about what we answer in a second, and
 * a fifth more. With the default for all sockets a container that sends some 270 at once gets silence for the rest,
 * where it should get an answer. Taken only while it is used.
 */
const RECEIVE_QUEUE_BYTES = 12 << 20;
/** Some hundred; that more were lost is a reason to look, as each of them is. */
const NOTIFICATION_BYTES = 64 << 10;
const RTM_NEWLINK = 16;
const IFF_UP = 1;
/** The loopback is the first interface of every network namespace. */
export const LOOPBACK_INDEX = 1;
const RTMGRP_LINK = 1;
const RTMGRP_IPV4_IFADDR = 0x10;
const RTMGRP_IPV6_IFADDR = 0x100;
/**
 * Of an address of IPv6 the kernel tells in the very moment in which it sends from it for the first time. While it looks
 * whether the address is free, for a second or so, there is a route to its prefix already.
 */
const RTMGRP_IPV6_ROUTE = 0x400;

/**
 * Where a socket goes when every port that the kernel chooses from is taken, by a container that was there before. The
 * lower ones are rarely anybody's, the others are allowed without NET_BIND_SERVICE.
 */
const sparePorts = [1023, 32_767].flatMap((last) => Array.from({ length: 8 }, (_, index) => last - index));

/** Owned by the caller; non-blocking and close-on-exec. */
export interface DnsSocket {
  /** For a server's `listen({ fd })`, or a UDP socket's `bind({ fd })`, which then owns it. */
  readonly fd: number;
  readonly port: number;
}

/**
 * Opens a netlink socket in the namespace, which is readable when an address of the sandbox came or went, or is about to, or
 * one of its interfaces has changed; for readAddresses(). Raises the loopback, where our other sockets are. @throws SystemCallError, NetlinkError
 */
export function openAddressSocket(namespaceFd: number): number {
  return withNamespace(namespaceFd, () => {
    const link = openNetlink(
      NETLINK_ROUTE,
      "addresses of a sandbox",
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE,
    );
    try {
      libc.setsockopt(link.fd, libc.SO_RCVBUFFORCE, NOTIFICATION_BYTES, "addresses of a sandbox");
      raiseLoopback(link);
      return link.fd;
    } catch (error) {
      libc.close(link.fd);
      throw error;
    }
  });
}

/**
 * Opens a socket at 127.0.0.11 in the namespace.
 * @param before the port where it was, and goes again if that is free
 * @throws SystemCallError, see isPortTaken()
 */
export function openDnsSocket(namespaceFd: number, transport: Transport, before?: number): DnsSocket {
  return withNamespace(namespaceFd, () => {
    const ports = [...(before === undefined ? [] : [before]), 0, ...sparePorts];
    const open = transport === "udp" ? udpSocket : tcpSocket;
    for (const port of ports.slice(0, -1)) {
      try {
        return open(port);
      } catch (error) {
        if (!isPortTaken(error)) throw error;
      }
    }
    return open(ports.at(-1) ?? 0);
  });
}

/** Whether a socket could not be opened because there is no port for it. */
export function isPortTaken(error: unknown): boolean {
  return error instanceof libc.SystemCallError && ["EADDRINUSE", "EACCES"].includes(error.errnoName);
}

function udpSocket(port: number): DnsSocket {
  return keeping((opened) => {
    const fd = boundSocket(libc.SOCK_DGRAM, opened, { bytes: resolverBytes, port });
    libc.setsockopt(fd, libc.SO_RCVBUFFORCE, RECEIVE_QUEUE_BYTES, "a DNS socket in a sandbox");
    return { fd, port: boundPort(fd) };
  });
}

function tcpSocket(port: number): DnsSocket {
  return keeping((opened) => {
    const fd = boundSocket(libc.SOCK_STREAM, opened, { bytes: resolverBytes, port });
    libc.listen(fd, BACKLOG, "the sandbox's DNS over TCP");
    return { fd, port: boundPort(fd) };
  });
}

/** A UDP socket in the calling thread's namespace, on a port that the kernel chooses, for a question to that server. */
export function openUdpSocket(server: IpAddress): number {
  return keeping((opened) =>
    server === resolverAddress
      ? boundSocket(libc.SOCK_DGRAM, opened, { bytes: loopbackBytes, port: 0 })
      : unboundSocket(familyOf(server), opened),
  );
}

/** What fails leaves nothing open. */
function keeping<T>(work: (opened: number[]) => T): T {
  const opened: number[] = [];
  try {
    return work(opened);
  } catch (error) {
    for (const fd of opened) libc.close(fd);
    throw error;
  }
}

/**
 * Docker does this too, a moment later. In a namespace that never had an address, the kernel takes every address for a
 * broadcast one (inet_addr_type() without a local table); a socket bound then would answer from 127.0.0.1.
 */
function raiseLoopback(link: NetlinkSocket): void {
  const header = new Uint8Array(16);
  header.set(hostBytes(LOOPBACK_INDEX), 4);
  header.set(hostBytes(IFF_UP), 8);
  header.set(hostBytes(IFF_UP), 12);
  link.writer
    .reset()
    .message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK)
    .raw(header);
  link.request("to raise the loopback of a sandbox");
  link.receive(() => undefined);
}

interface BoundAddress {
  readonly bytes: Uint8Array;
  /** 0 has the kernel choose. */
  readonly port: number;
}

/** Freely, because the loopback is the container's to spoil; and beside connections of one that was there before. */
function boundSocket(type: number, opened: number[], { bytes, port }: BoundAddress): number {
  const what = `a DNS socket at ${resolverAddress} in a sandbox`;
  const fd = libc.socket(libc.AF_INET, type, 0, what);
  opened.push(fd);
  libc.setsockopt(fd, libc.IP_FREEBIND, 1, what);
  if (type === libc.SOCK_STREAM) libc.setsockopt(fd, libc.SO_REUSEADDR, 1, what);
  libc.bind(fd, socketAddress(bytes, port), what);
  return fd;
}

/** It sends from the address that the way to its server has, as the container's own do. */
function unboundSocket(family: Family, opened: number[]): number {
  const what = `a DNS socket of IPv${family} in a sandbox`;
  const fd = libc.socket(family === 4 ? libc.AF_INET : libc.AF_INET6, libc.SOCK_DGRAM, 0, what);
  opened.push(fd);
  libc.bind(fd, socketAddress(new Uint8Array(family === 4 ? 4 : 16), 0), what);
  return fd;
}

function boundPort(fd: number): number {
  return portOf(libc.getsockname(fd, "a DNS socket in a sandbox"));
}
