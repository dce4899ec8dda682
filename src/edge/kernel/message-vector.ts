// Datagrams by the dozen: what recvmmsg(2) and sendmmsg(2) read and write, in memory that does not move. One system call
// for a batch, and none of Node's objects for a datagram: dgram alone takes more CPU than a C server's whole answer.
// @see struct mmsghdr, struct msghdr, struct iovec; the same on x86-64 and arm64, glibc and musl

import koffi from "koffi";
import * as libc from "./libc.ts";
import { littleEndian } from "./netlink/message.ts";

const HEADER_BYTES = 64;
const IOVEC_BYTES = 16;
const NAME_BYTES = 32;
/** Bytes of struct sockaddr_in6, the longer one. */
const SOCKADDR_BYTES = 28;
/** In the flags of a message that was longer than its place (recvmsg(2)). */
const MSG_TRUNC = 0x20;

/** Offsets in a struct mmsghdr. */
const offsets = { name: 0, nameLength: 8, iovec: 16, iovecCount: 24, flags: 48, length: 56 } as const;

export class MessageVector {
  /** Datagrams of a batch. */
  readonly capacity: number;
  /** Bytes of a datagram at most; longer ones are cut when they are received, see isCut(). */
  readonly datagramBytes: number;
  readonly #pointer: unknown;
  readonly #base: bigint;
  readonly #bytes: Buffer;
  readonly #view: DataView;
  /** How many datagrams a call receives at most: as many as that show that there may be more. */
  readonly perCall: number;
  readonly #batches: boolean;

  /** @param batches false where each datagram needs a call of its own (recvmsg(2), sendmsg(2)) */
  constructor(capacity: number, datagramBytes: number, batches = libc.whyNoBatches() === undefined) {
    this.capacity = capacity;
    this.datagramBytes = datagramBytes;
    this.#batches = batches;
    this.perCall = batches ? capacity : 1;
    const size = capacity * (HEADER_BYTES + IOVEC_BYTES + NAME_BYTES + datagramBytes);
    this.#pointer = koffi.alloc("uint8_t", size);
    this.#bytes = Buffer.from(koffi.view(this.#pointer, size)).fill(0);
    this.#view = new DataView(this.#bytes.buffer);
    this.#base = koffi.address(this.#pointer);
    for (let slot = 0; slot < capacity; slot++) {
      const header = slot * HEADER_BYTES;
      const address = (offset: number): bigint => this.#base + BigInt(offset);
      this.#view.setBigUint64(header + offsets.name, address(this.#nameAt(slot)), littleEndian);
      this.#view.setBigUint64(header + offsets.iovec, address(this.#iovecAt(slot)), littleEndian);
      this.#view.setBigUint64(header + offsets.iovecCount, 1n, littleEndian);
      this.#view.setBigUint64(this.#iovecAt(slot), address(this.#dataAt(slot)), littleEndian);
      this.#expect(slot, SOCKADDR_BYTES, datagramBytes);
    }
  }

  /**
   * Receives what is there, as much as fits, and not more than so many. @returns how many datagrams; valid until the next call
   * @throws SystemCallError
   */
  receive(fd: number, what: string, atMost = this.capacity): number {
    const count = this.#batches
      ? (libc.recvmmsg(fd, this.#pointer, Math.min(atMost, this.capacity), what) ?? 0)
      : this.#receiveOne(fd, what);
    // The kernel has written how long each address is; the next one may be longer.
    for (let slot = 0; slot < count; slot++)
      this.#view.setUint32(slot * HEADER_BYTES + offsets.nameLength, SOCKADDR_BYTES, littleEndian);
    return count;
  }

  /** A received datagram; a view, as long as it is not received again. */
  datagram(slot: number): Uint8Array {
    const length = this.#view.getUint32(slot * HEADER_BYTES + offsets.length, littleEndian);
    const from = this.#dataAt(slot);
    return this.#bytes.subarray(from, from + length);
  }

  /** A copy of a received datagram: with a view to copy from, each would be two objects. */
  copyDatagram(slot: number): Buffer<ArrayBuffer> {
    const length = this.#view.getUint32(slot * HEADER_BYTES + offsets.length, littleEndian);
    return this.#copy(this.#dataAt(slot), length);
  }

  /** A copy of the bytes of the sender's `sockaddr`. */
  copySender(slot: number): Buffer<ArrayBuffer> {
    return this.#copy(this.#nameAt(slot), SOCKADDR_BYTES);
  }

  /** Whether a received datagram was longer, and its end is lost. */
  isCut(slot: number): boolean {
    return (this.#view.getUint32(slot * HEADER_BYTES + offsets.flags, littleEndian) & MSG_TRUNC) !== 0;
  }

  /** The bytes of the sender's `sockaddr`; a view like the datagram. */
  sender(slot: number): Uint8Array {
    const from = this.#nameAt(slot);
    return this.#bytes.subarray(from, from + SOCKADDR_BYTES);
  }

  /** Puts a datagram in its place in a batch to send. @param to the bytes of a `sockaddr` */
  put(slot: number, datagram: Uint8Array, to: Uint8Array): void {
    this.#bytes.set(datagram, this.#dataAt(slot));
    this.#bytes.set(to, this.#nameAt(slot));
    this.#expect(slot, to.length, datagram.length);
  }

  /**
   * Sends the first `count` datagrams. One that cannot be sent is lost, as datagrams are; when the socket has no room,
   * so are those behind it. @returns how many were sent
   */
  send(fd: number, count: number): number {
    let sent = 0;
    for (let next = 0; next < count; ) {
      const header = this.#base + BigInt(next * HEADER_BYTES);
      const done = this.#batches ? libc.sendmmsg(fd, header, count - next) : libc.sendmsg(fd, header);
      if (done === "no-room") break;
      // Only the first of those left can have failed.
      next += Math.max(1, done);
      sent += done;
    }
    return sent;
  }

  /** One at a time: the error of a second would be lost, or the first. */
  #receiveOne(fd: number, what: string): number {
    const length = libc.recvmsg(fd, this.#base, what);
    if (length === undefined) return 0;
    this.#view.setUint32(offsets.length, length, littleEndian);
    return 1;
  }

  #copy(from: number, length: number): Buffer<ArrayBuffer> {
    const copy = Buffer.allocUnsafe(length);
    this.#bytes.copy(copy, 0, from, from + length);
    return copy;
  }

  #expect(slot: number, nameLength: number, dataLength: number): void {
    this.#view.setUint32(slot * HEADER_BYTES + offsets.nameLength, nameLength, littleEndian);
    // The lower half of 64 bits: the upper one stays nought, as no datagram is that long.
    this.#view.setUint32(this.#iovecAt(slot) + (littleEndian ? 8 : 12), dataLength, littleEndian);
  }

  #iovecAt(slot: number): number {
    return this.capacity * HEADER_BYTES + slot * IOVEC_BYTES;
  }

  #nameAt(slot: number): number {
    return this.capacity * (HEADER_BYTES + IOVEC_BYTES) + slot * NAME_BYTES;
  }

  #dataAt(slot: number): number {
    return this.capacity * (HEADER_BYTES + IOVEC_BYTES + NAME_BYTES) + slot * this.datagramBytes;
  }
}
