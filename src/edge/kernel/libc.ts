// System calls that Node does not offer, called directly through the C library (glibc or musl) by koffi. Each runs on
// the calling thread and returns at once. Numbers are those of Linux on x86-64 and arm64.

import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import koffi from "koffi";
import { DockerwallError } from "../../errors.ts";

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const CLONE_NEWNET = 0x40000000;

/** An option of a socket, by its level (SOL_…) and its number there. */
export interface SocketOption {
  readonly level: number;
  readonly name: number;
}

export const SO_REUSEADDR: SocketOption = { level: 1, name: 2 };
export const SO_REUSEPORT: SocketOption = { level: 1, name: 15 };
export const IPV6_V6ONLY: SocketOption = { level: 41, name: 26 };
const SO_ACCEPTCONN: SocketOption = { level: 1, name: 30 };
const SO_BINDTODEVICE: SocketOption = { level: 1, name: 25 };
export const SO_SNDBUFFORCE: SocketOption = { level: 1, name: 32 };
export const SO_RCVBUFFORCE: SocketOption = { level: 1, name: 33 };
export const IP_FREEBIND: SocketOption = { level: 0, name: 15 };

const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;

/** A refused system call. */
export class SystemCallError extends DockerwallError {
  /** `EPERM`, `ENOBUFS`, … */
  readonly errnoName: string;

  constructor(call: string, what: string, errno: number) {
    const errnoName = getSystemErrorName(-errno);
    const hint = isPrivilegeErrno(errno)
      ? " (Dockerwall needs root with NET_ADMIN, NET_RAW and SYS_ADMIN)"
      : "";
    super(
      isPrivilegeErrno(errno) ? "NO_PRIVILEGE" : "KERNEL_REFUSED",
      `${call} failed for ${what}: ${errnoName}${hint}`,
    );
    this.name = "SystemCallError";
    this.errnoName = errnoName;
  }
}

const library = koffi.load(null);
const native = {
  socket: library.func("int socket(int domain, int type, int protocol)"),
  bind: library.func("int bind(int fd, const void *address, uint32_t length)"),
  connect: library.func("int connect(int fd, const void *address, uint32_t length)"),
  listen: library.func("int listen(int fd, int backlog)"),
  getsockname: library.func("int getsockname(int fd, void *address, void *length)"),
  setsockopt: library.func("int setsockopt(int fd, int level, int name, const void *value, uint32_t length)"),
  getsockopt: library.func("int getsockopt(int fd, int level, int name, void *value, void *length)"),
  send: library.func("intptr_t send(int fd, const void *bytes, size_t length, int flags)"),
  recvmsg: library.func("intptr_t recvmsg(int fd, uint64_t message, int flags)"),
  sendmsg: library.func("intptr_t sendmsg(int fd, uint64_t message, int flags)"),
  recvmmsg: library.func(
    "int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout)",
  ),
  sendmmsg: library.func("int sendmmsg(int fd, uint64_t messages, unsigned int count, int flags)"),
  recv: library.func("intptr_t recv(int fd, void *bytes, size_t length, int flags)"),
  close: library.func("int close(int fd)"),
  read: library.func("intptr_t read(int fd, void *bytes, size_t length)"),
  inotifyInit: library.func("int inotify_init1(int flags)"),
  inotifyAddWatch: library.func("int inotify_add_watch(int fd, const char *path, uint32_t mask)"),
  setns: library.func("int setns(int fd, int type)"),
  unshare: library.func("int unshare(int flags)"),
  ioctl: library.func("int ioctl(int fd, unsigned long request, uint64_t argument)"),
  indexToName: library.func("void *if_indextoname(unsigned int index, void *name)"),
  nameToIndex: library.func("unsigned int if_nametoindex(const char *name)"),
  abort: library.func("void abort()"),
};

const { EPERM, EACCES, EINTR, EAGAIN, ENOBUFS } = constants.errno;

/** How often this thread has made those calls that lookups need, since it started: what they cost shows in their number. */
export const calls = { socket: 0, connect: 0, close: 0, send: 0, recv: 0, recvmmsg: 0, sendmmsg: 0 };

/** True for the errno of a missing capability. */
export function isPrivilegeErrno(errno: number): boolean {
  return errno === EPERM || errno === EACCES;
}

/** A new socket: close-on-exec and non-blocking. `what` names it in the error. */
export function socket(domain: number, type: number, protocol: number, what: string): number {
  calls.socket++;
  return checked("socket", what, native.socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

/** Binds to the bytes of a `sockaddr`. */
export function bind(fd: number, address: Uint8Array, what: string): void {
  checked("bind", what, native.bind(fd, address, address.length));
}

/** Connects a datagram socket to the bytes of a `sockaddr`: it hears of no other peer. */
export function connect(fd: number, address: Uint8Array, what: string): void {
  calls.connect++;
  checked("connect", what, native.connect(fd, address, address.length));
}

export function listen(fd: number, backlog: number, what: string): void {
  checked("listen", what, native.listen(fd, backlog));
}

/** The bytes of the socket's own `sockaddr`. */
export function getsockname(fd: number, what: string): Uint8Array {
  const address = new Uint8Array(128);
  const length = Uint32Array.of(address.length);
  checked("getsockname", what, native.getsockname(fd, address, length));
  return address.subarray(0, length[0]);
}

/** Sets an option that is an `int`. */
export function setsockopt(fd: number, { level, name }: SocketOption, value: number, what: string): void {
  checked("setsockopt", what, native.setsockopt(fd, level, name, Int32Array.of(value), 4));
}

/** True while connections to the socket are taken. */
export function isListening(fd: number, what: string): boolean {
  const value = new Int32Array(1);
  const { level, name } = SO_ACCEPTCONN;
  checked("getsockopt", what, native.getsockopt(fd, level, name, value, Uint32Array.of(4)));
  return value[0] === 1;
}

/** Index of an interface in the namespace of the calling thread; undefined when there is none of that name. */
export function interfaceIndex(name: string): number | undefined {
  return native.nameToIndex(name) || undefined;
}

/** Its name; undefined when there is none of that index. */
export function interfaceName(index: number): string | undefined {
  const name = Buffer.alloc(16);
  return native.indexToName(index, name) === null ? undefined : name.toString("utf8", 0, name.indexOf(0));
}

/** @param argument address of what the request is about @returns what that says of the request, such as a descriptor */
export function ioctl(fd: number, request: number, argument: bigint, what: string): number {
  return checked("ioctl", what, native.ioctl(fd, request, argument));
}

/** Has the socket send and receive by one interface only. */
export function bindToDevice(fd: number, device: string, what: string): void {
  const { level, name } = SO_BINDTODEVICE;
  checked(
    "setsockopt",
    what,
    native.setsockopt(fd, level, name, Buffer.from(device), Buffer.byteLength(device)),
  );
}

/** Sends one datagram, whole or not at all; undefined when the socket has no room for it now. */
export function send(fd: number, bytes: Uint8Array, what: string): number | undefined {
  calls.send++;
  return checkedUnlessAgain("send", what, () => native.send(fd, bytes, bytes.length, MSG_DONTWAIT));
}

/** Receives one datagram into `bytes`, never waiting; undefined when there is none. */
export function recv(fd: number, bytes: Uint8Array, what: string): number | undefined {
  calls.recv++;
  return checkedUnlessAgain("recv", what, () => native.recv(fd, bytes, bytes.length, MSG_DONTWAIT));
}

/** Receives datagrams into the vector of struct mmsghdr at `messages`, never waiting; undefined when there is none. */
export function recvmmsg(fd: number, messages: unknown, count: number, what: string): number | undefined {
  calls.recvmmsg++;
  return checkedUnlessAgain("recvmmsg", what, () => native.recvmmsg(fd, messages, count, MSG_DONTWAIT, null));
}

/**
 * Sends datagrams from a vector of struct mmsghdr, never waiting.
 * @param messages address of the first one
 * @returns how many were sent; 0 when the first one cannot be
 */
export function sendmmsg(fd: number, messages: bigint, count: number): number | "no-room" {
  return sentUnlessFull(() => {
    calls.sendmmsg++;
    return native.sendmmsg(fd, messages, count, MSG_DONTWAIT);
  });
}

/**
 * Receives one datagram into the struct msghdr at `message`, never waiting.
 * @returns how many bytes of it found room; undefined when there is none
 */
export function recvmsg(fd: number, message: bigint, what: string): number | undefined {
  return checkedUnlessAgain("recvmsg", what, () => native.recvmsg(fd, message, MSG_DONTWAIT));
}

/** Sends the datagram of the struct msghdr at `message`, never waiting. @returns 1 when it was sent, 0 when it cannot be */
export function sendmsg(fd: number, message: bigint): number | "no-room" {
  return sentUnlessFull(() => (native.sendmsg(fd, message, MSG_DONTWAIT) < 0 ? -1 : 1));
}

/** As whyNoBatches() found out; it is asked for each vector. */
let noBatches: { readonly why: string | undefined } | undefined;

/** Why datagrams cannot be received and sent in batches here, the name of an errno; undefined when they can be. */
export function whyNoBatches(): string | undefined {
  noBatches ??= { why: tryBatches() };
  return noBatches.why;
}

function tryBatches(): string | undefined {
  const fd = socket(AF_INET, SOCK_DGRAM, 0, "a try of batches");
  try {
    // Of no message at all: a kernel that has them takes it.
    const tries = [
      () => native.recvmmsg(fd, null, 0, MSG_DONTWAIT, null),
      () => native.sendmmsg(fd, 0n, 0, MSG_DONTWAIT),
    ];
    return tries.some((attempt) => attempt() < 0) ? getSystemErrorName(-koffi.errno()) : undefined;
  } finally {
    native.close(fd);
  }
}

/** Whether the kernel has this family of addresses: one started with ipv6.disable=1 has no IPv6. */
export function hasFamily(family: 4 | 6): boolean {
  try {
    close(socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0, `a try of IPv${family}`));
    return true;
  } catch (error) {
    // Any other error shows where the socket is needed.
    return !(error instanceof SystemCallError && error.errnoName === "EAFNOSUPPORT");
  }
}

/** Reads what a non-blocking descriptor has; undefined when it has nothing now. */
export function read(fd: number, bytes: Uint8Array, what: string): number | undefined {
  return checkedUnlessAgain("read", what, () => native.read(fd, bytes, bytes.length));
}

/** A non-blocking, close-on-exec inotify descriptor. */
export function inotify(what: string): number {
  return checked("inotify_init1", what, native.inotifyInit(SOCK_NONBLOCK | SOCK_CLOEXEC));
}

/** Watches a path for the events of a mask (inotify(7)). @throws SystemCallError */
export function inotifyAddWatch(fd: number, path: string, mask: number): number {
  return checked("inotify_add_watch", path, native.inotifyAddWatch(fd, path, mask));
}

/** Closes a descriptor. Nothing can be done about a failure, and the descriptor is gone even then (close(2)). */
export function close(fd: number): void {
  calls.close++;
  native.close(fd);
}

/** Moves the calling OS thread, and only it, into a namespace. */
export function setns(fd: number, type: number, what: string): void {
  checked("setns", what, native.setns(fd, type));
}

/** Moves the calling thread into new namespaces of these kinds (CLONE_NEW…). */
export function unshare(flags: number, what: string): void {
  checked("unshare", what, native.unshare(flags));
}

/** Ends the process at once, from whichever thread. */
export function abort(): void {
  native.abort();
}

function checked(call: string, what: string, result: number): number {
  if (result >= 0) return result;
  throw new SystemCallError(call, what, koffi.errno());
}

/** 0 stands for one that cannot be sent. */
function sentUnlessFull(attempt: () => number): number | "no-room" {
  for (;;) {
    const result = attempt();
    if (result >= 0) return result;
    const errno = koffi.errno();
    if (errno === EAGAIN || errno === ENOBUFS) return "no-room";
    if (errno !== EINTR) return 0;
  }
}

function checkedUnlessAgain(call: string, what: string, attempt: () => number): number | undefined {
  for (;;) {
    const result = attempt();
    if (result >= 0) return result;
    const errno = koffi.errno();
    if (errno === EAGAIN) return undefined;
    if (errno !== EINTR) throw new SystemCallError(call, what, errno);
  }
}
