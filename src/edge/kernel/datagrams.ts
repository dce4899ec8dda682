// Datagrams in batches: one system call reads what has come to a socket, one sends what a turn of the event loop has put
// into it.

import { contained, type OnFailure } from "../../core/contain.ts";
import * as libc from "./libc.ts";
import { MessageVector } from "./message-vector.ts";
import { createReadiness } from "./readiness.ts";

/** Datagrams that one system call reads or sends. */
const batch = 64;
/** No question and no answer that we take or give is longer; the rest of one that comes is cut. */
const datagramBytes = 4_096;

/** How to close each socket that this thread reads. */
const closers = new Set<() => void>();

// A descriptor is the process's: the end of a thread closes none, and a port would stay taken that nobody listens to.
process.prependOnceListener("exit", () => {
  for (const close of closers) close();
});

/**
 * Calls `onReadable` whenever a socket has something to read.
 * @param keepsAlive false where a process may end that watches nothing else
 * @returns how to close the socket, with its descriptor; once only
 */
export function watchSocket(fd: number, onReadable: () => void, keepsAlive = true): () => void {
  const readiness = createReadiness();
  const close = (): void => {
    if (!closers.delete(close)) return;
    readiness.close();
    libc.close(fd);
  };
  closers.add(close);
  readiness.watch(fd, onReadable, keepsAlive);
  return close;
}

// The thread uses one at a time, whichever socket it is for.
let receiving: MessageVector | undefined;
let sending: MessageVector | undefined;

/**
 * Takes what has come to a socket, and so many at most.
 * @param take gets copies, which are its own; the sender is the bytes of a `sockaddr`; of a message that was cut, the
 * end is lost
 * @throws SystemCallError when the socket is no more
 */
export function receiveBatch(
  fd: number,
  take: (message: Uint8Array<ArrayBuffer>, sender: Uint8Array<ArrayBuffer>) => void,
  atMost: number,
): void {
  receiving ??= new MessageVector(batch, datagramBytes);
  const vector = receiving;
  const count = vector.receive(fd, "datagrams", atMost);
  for (let slot = 0; slot < count; slot++) take(vector.copyDatagram(slot), vector.copySender(slot));
}

/**
 * Takes a batch of what has come to a connected socket, whose sender is known.
 * @param take gets copies, which are its own; of a message that was cut, the end is lost
 * @throws SystemCallError when the socket is no more, or its peer cannot be reached
 */
export function receiveConnected(
  fd: number,
  take: (message: Uint8Array<ArrayBuffer>, isCut: boolean) => void,
): void {
  receiving ??= new MessageVector(batch, datagramBytes);
  const vector = receiving;
  const count = vector.receive(fd, "datagrams", batch);
  for (let slot = 0; slot < count; slot++) take(vector.copyDatagram(slot), vector.isCut(slot));
}

/** For a connected socket. */
const nobody = new Uint8Array(0);

/** What becomes of what could not be sent. */
export interface SendQueueEvents {
  /** So many were not sent: without room for them, or without a way. They are lost, as datagrams are. */
  readonly onLoss: (count: number) => void;
  /** Told of what fails on our side, when a turn's end sends. */
  readonly onFailure: OnFailure;
}

/** What a socket has to send; what is put in in one turn of the event loop goes together. */
export class SendQueue {
  readonly #fd: number;
  readonly #events: SendQueueEvents;
  readonly #flushLater: () => void;
  #waiting: { readonly datagram: Uint8Array; readonly to: Uint8Array }[] = [];
  #flushing: NodeJS.Immediate | undefined;
  #open = true;

  constructor(fd: number, events: SendQueueEvents) {
    this.#fd = fd;
    this.#events = events;
    this.#flushLater = contained(() => this.flush(), events.onFailure);
  }

  /** @param to the bytes of a `sockaddr`; left out for a connected socket */
  put(datagram: Uint8Array, to = nobody): void {
    if (!this.#open || datagram.length > datagramBytes) return;
    this.#waiting.push({ datagram, to });
    this.#flushing ??= setImmediate(this.#flushLater);
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
    let slot = 0;
    for (const { datagram, to } of waiting) sending.put(slot++, datagram, to);
    const lost = waiting.length - sending.send(this.#fd, waiting.length);
    if (lost > 0) this.#events.onLoss(lost);
  }

  /** The descriptor may be another's by now: nothing more is sent. */
  close(): void {
    this.#open = false;
    this.#waiting = [];
    if (this.#flushing !== undefined) clearImmediate(this.#flushing);
  }
}
