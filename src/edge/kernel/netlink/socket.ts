// A netlink socket whose requests are answered before they return: the kernel runs a netfilter request inside send(),
// so the acknowledgement is in the receive queue when send() returns. Nothing here ever waits.
// @see netlink(7), net/netlink/af_netlink.c

import { close } from "node:fs";
import { DockerwallError } from "../../../errors.ts";
import * as libc from "../libc.ts";
import type { MessageVector } from "../message-vector.ts";
import {
  eachMessage,
  hostBytes,
  type NetlinkMessage,
  NLMSG_DONE,
  NLMSG_ERROR,
  numberMessages,
  viewOf,
} from "./message.ts";
import { type NetlinkError, refusalIn } from "./refusal.ts";
import { NetlinkWriter } from "./writer.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_NETFILTER = 12;

const NETLINK_EXT_ACK: libc.SocketOption = { level: 270, name: 11 };
const NLM_F_DUMP_INTR = 0x10;
const DUMP_TRIES = 5;

/** Room for some 2,000 acknowledgements; the kernel counts an overhead of about 0.8 KB for each. */
const RECEIVE_QUEUE_BYTES = 4 << 20;
/** The kernel refuses a send() that is larger than this queue. */
const SEND_QUEUE_BYTES = 4 << 20;
/** More than the largest single message: a queued packet of 64 KB and its attributes. */
const SCRATCH_BYTES = 128 << 10;

/** One for the thread: everything is read out of it before the next recv(). */
const scratch = new Uint8Array(SCRATCH_BYTES);
const scratchView = viewOf(scratch);

/**
 * Opens a socket of a netlink protocol in the namespace of the calling thread.
 * @param groups bit mask of the first 32 multicast groups to join
 * @throws NO_PRIVILEGE, KERNEL_REFUSED
 */
export function openNetlink(protocol: number, what: string, groups = 0): NetlinkSocket {
  const fd = libc.socket(libc.AF_NETLINK, libc.SOCK_RAW, protocol, what);
  try {
    libc.setsockopt(fd, libc.SO_RCVBUFFORCE, RECEIVE_QUEUE_BYTES, what);
    libc.setsockopt(fd, libc.SO_SNDBUFFORCE, SEND_QUEUE_BYTES, what);
    libc.setsockopt(fd, NETLINK_EXT_ACK, 1, what);
    libc.bind(fd, netlinkAddress(groups), what);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return new NetlinkSocket(fd, what);
}

/**
 * Does work by a socket of its own in the namespace of the calling thread, and closes it later: see closeLater().
 * @throws NO_PRIVILEGE, KERNEL_REFUSED, and what the work throws
 */
export function withNetlink<T>(protocol: number, what: string, work: (socket: NetlinkSocket) => T): T {
  const socket = openNetlink(protocol, what);
  try {
    return work(socket);
  } finally {
    socket.closeLater();
  }
}

/** One socket of one netlink protocol, in the network namespace where it was opened. */
export class NetlinkSocket {
  readonly fd: number;
  /** To be filled for request(); one per socket, since a request ends before the next begins. */
  readonly writer = new NetlinkWriter();
  readonly #what: string;
  #sequence = 1;

  /** Takes over an open netlink socket. */
  constructor(fd: number, what: string) {
    this.fd = fd;
    this.#what = what;
  }

  /**
   * Sends what was written with `writer` and reads every answer: acknowledgements of messages with NLM_F_ACK,
   * the parts of those with NLM_F_DUMP, refusals of the others if a later one is answered. Each message that carries
   * data goes to `onReply`, valid only during the call. Messages that answer no part of this request (notifications)
   * are passed over.
   * @throws NetlinkError for the first message that was refused.
   */
  request(what: string, onReply?: (message: NetlinkMessage) => void): void {
    this.#exchange(what, onReply);
  }

  /**
   * A request that only reads, asked again when the tables changed while they were read (NLM_F_DUMP_INTR).
   * `restart` forgets what was gathered, before each try; what was written is sent again as it is.
   */
  dump(what: string, restart: () => void, onReply: (message: NetlinkMessage) => void): void {
    for (let tries = 0; tries < DUMP_TRIES; tries++) {
      restart();
      if (this.#exchange(what, onReply) === "consistent") return;
    }
    throw new DockerwallError("KERNEL_REFUSED", `${what} changed ${DUMP_TRIES} times while it was read`);
  }

  /**
   * A request that only reads, of which only the first messages are wanted. What changed meanwhile may be missing.
   * @returns false when there are more: the rest stays in the socket, which must be closed
   */
  dumpFirst(what: string, most: number, onReply: (message: NetlinkMessage) => void): boolean {
    let count = 0;
    this.#exchange(
      what,
      (message) => {
        if (count < most) onReply(message);
        count++;
      },
      () => count < most,
    );
    return count < most;
  }

  /**
   * A request that only reads, of which each call of the result reads one datagram of the answer; until it is over, the
   * socket takes no other request. What changed meanwhile may be missing.
   * @returns gives false once the answer was over before the call
   * @throws NetlinkError from the result, when the request is refused
   */
  dumpInSteps(what: string, onReply: (message: NetlinkMessage) => void): () => boolean {
    const first = this.#sequence;
    this.#sequence = (first + numberMessages(this.writer.bytes, first).length) >>> 0;
    if (libc.send(this.fd, this.writer.bytes, what) === undefined) throw this.#silence(what);
    let isOver = false;
    return () => {
      if (isOver) return false;
      const length = this.#receiveOne();
      if (length === undefined) throw this.#silence(what);
      if (length === "overflow") return true;
      let refusal: NetlinkError | undefined;
      eachMessage(scratchView, length, (message) => {
        if (message.sequence !== first) return;
        isOver ||= message.type === NLMSG_ERROR || message.type === NLMSG_DONE;
        if (isOver) refusal ??= refusalIn(message, what, 0);
        else onReply(message);
      });
      if (refusal !== undefined) throw refusal;
      return true;
    };
  }

  /**
   * Reads what the kernel sent by itself until nothing is left; messages are valid only during the call.
   * @returns how often the queue had overflowed (ENOBUFS), so that something was lost.
   */
  receive(onMessage: (message: NetlinkMessage) => void, limit = Number.POSITIVE_INFINITY): number {
    let overflows = 0;
    for (let datagrams = 0; datagrams < limit; datagrams++) {
      const length = this.#receiveOne();
      if (length === undefined) break;
      if (length === "overflow") overflows++;
      else eachMessage(scratchView, length, onMessage);
    }
    return overflows;
  }

  /** The same for messages that fit into the vector's places, many to a system call; what is longer is cut. */
  receiveShort(vector: MessageVector, limit: number, onMessage: (message: NetlinkMessage) => void): number {
    let overflows = 0;
    for (let taken = 0; taken < limit; ) {
      const count = this.#unlessOverflown(() => vector.receive(this.fd, this.#what));
      if (count === "overflow") {
        overflows++;
        continue;
      }
      for (let slot = 0; slot < count; slot++) {
        const message = vector.datagram(slot);
        eachMessage(viewOf(message), message.length, onMessage);
      }
      if (count < vector.perCall) break;
      taken += count;
    }
    return overflows;
  }

  close(): void {
    libc.close(this.fd);
  }

  /**
   * Closes without this thread waiting for it. The close of any netfilter socket waits for the kernel to have
   * destroyed what was last deleted from nftables in that namespace (nft_rcv_nl_event(); measured: 9 to 40 ms), so
   * the thread pool does it; in a later turn, as a pool thread that starts inside of withNamespace() stays in there.
   */
  closeLater(): void {
    setImmediate(() => close(this.fd, () => undefined));
  }

  #exchange(
    what: string,
    onReply: ((message: NetlinkMessage) => void) | undefined,
    wantsMore: () => boolean = () => true,
  ): "consistent" | "interrupted" {
    const first = this.#sequence;
    const answered = numberMessages(this.writer.bytes, first);
    this.#sequence = (first + answered.length) >>> 0;
    if (libc.send(this.fd, this.writer.bytes, what) === undefined) throw this.#silence(what);

    let outstanding = answered.reduce((count, each) => (each ? count + 1 : count), 0);
    let refusal: NetlinkError | undefined;
    let interrupted = false;
    let overflowed = false;
    while (outstanding > 0 && wantsMore()) {
      const length = this.#receiveOne();
      if (length === undefined) break;
      if (length === "overflow") {
        overflowed = true;
        continue;
      }
      eachMessage(scratchView, length, (message) => {
        const index = (message.sequence - first) >>> 0;
        if (index >= answered.length) return;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          if (answered[index] === true) outstanding--;
          refusal ??= refusalIn(message, what, index);
        } else {
          onReply?.(message);
        }
      });
    }
    if (refusal !== undefined) throw refusal;
    if (outstanding > 0 && wantsMore()) throw this.#silence(what);
    // What asks for no acknowledgement is known to be done by its not being refused; a refusal may have been lost.
    if (overflowed && answered.includes(false)) throw this.#silence(what);
    return interrupted ? "interrupted" : "consistent";
  }

  #receiveOne(): number | undefined | "overflow" {
    return this.#unlessOverflown(() => libc.recv(this.fd, scratch, this.#what));
  }

  #unlessOverflown<Received>(receive: () => Received): Received | "overflow" {
    try {
      return receive();
    } catch (error) {
      if (error instanceof libc.SystemCallError && error.errnoName === "ENOBUFS") return "overflow";
      throw error;
    }
  }

  #silence(what: string): DockerwallError {
    return new DockerwallError(
      "KERNEL_REFUSED",
      `the kernel did not answer ${what} in full on ${this.#what}`,
    );
  }
}

/** struct sockaddr_nl: family, padding, port id (0: the kernel chooses), groups. */
function netlinkAddress(groups: number): Uint8Array {
  const address = new Uint8Array(12);
  address.set(new Uint8Array(Uint16Array.of(libc.AF_NETLINK).buffer), 0);
  address.set(hostBytes(groups), 8);
  return address;
}
