// Questions and answers by UDP in batches: one system call reads what has come to a socket, one sends what a turn of the
// event loop has answered by it.

import { addressFromBytes, type IpAddress } from "../../core/model/address.ts";
import * as libc from "../kernel/libc.ts";
import { MessageVector } from "../kernel/message-vector.ts";

/** Datagrams that one socket is served before the others of its thread have their turn. */
const batch = 64;
/** No question that is one, and no answer of ours, is longer. */
const datagramBytes = 4_096;
/** Senders whose addresses are known as text. */
const sendersAtMost = 4_096;

// The thread uses one at a time, whichever socket it is for.
let receiving: MessageVector | undefined;
let sending: MessageVector | undefined;

/**
 * Takes what has come to a socket, at most a batch.
 * @param take gets copies, which are its own
 * @throws SystemCallError when the socket is no more
 */
export function receiveBatch(fd: number, take: (message: Uint8Array, sender: Uint8Array) => void): void {
  receiving ??= new MessageVector(batch, datagramBytes);
  const vector = receiving;
  const count = vector.receive(fd, "lookups by UDP");
  for (let slot = 0; slot < count; slot++)
    take(Buffer.from(vector.datagram(slot)), vector.sender(slot).slice());
}

/** The answers of one socket that are not sent yet; those of one turn of the event loop go together. */
export class ReplyQueue {
  readonly #fd: number;
  #waiting: { readonly answer: Uint8Array; readonly to: Uint8Array }[] = [];
  #flushing: NodeJS.Immediate | undefined;
  #open = true;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @param to the bytes of a `sockaddr` */
  put(answer: Uint8Array, to: Uint8Array): void {
    if (!this.#open || answer.length > datagramBytes) return;
    this.#waiting.push({ answer, to });
    this.#flushing ??= setImmediate(() => this.flush());
    if (this.#waiting.length >= batch) this.flush();
  }

  /** Sends what waits. */
  flush(): void {
    if (this.#flushing !== undefined) clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    sending ??= new MessageVector(batch, datagramBytes);
    for (const [slot, { answer, to }] of waiting.entries()) sending.put(slot, answer, to);
    sending.send(this.#fd, waiting.length);
  }

  /** The descriptor may be another's by now: nothing more is sent. */
  close(): void {
    this.#open = false;
    this.#waiting = [];
    if (this.#flushing !== undefined) clearImmediate(this.#flushing);
  }
}

const texts = new Map<string, IpAddress>();

/** Who sent a datagram, from the bytes of its `sockaddr`: without a zone, and an IPv4 address in IPv4 form. */
export function clientOf(sender: Uint8Array): { readonly address: IpAddress; readonly port: number } {
  const isVersion4 = isFamily(sender, libc.AF_INET);
  const bytes = isVersion4 ? sender.subarray(4, 8) : sender.subarray(8, 24);
  return { address: textOf(isMapped(bytes) ? bytes.subarray(12) : bytes), port: portOf(sender) };
}

/** The port in the bytes of a `sockaddr`. */
export function portOf(address: Uint8Array): number {
  return ((address[2] ?? 0) << 8) | (address[3] ?? 0);
}

/** The family's number is one byte of a word in the machine's own order. */
function isFamily(sender: Uint8Array, family: number): boolean {
  return sender[0] === family || sender[1] === family;
}

/** ::ffff:0:0/96 (RFC 4291 2.5.5.2). */
function isMapped(bytes: Uint8Array): boolean {
  return (
    bytes.length === 16 &&
    bytes[10] === 0xff &&
    bytes[11] === 0xff &&
    bytes.subarray(0, 10).every((byte) => byte === 0)
  );
}

function textOf(bytes: Uint8Array): IpAddress {
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const known = texts.get(key);
  if (known !== undefined) return known;
  if (texts.size >= sendersAtMost) texts.clear();
  const text = addressFromBytes(bytes);
  texts.set(key, text);
  return text;
}
