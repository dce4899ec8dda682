// One connected UDP socket to an upstream server. The kernel drops packets from elsewhere; the queries on it differ by
// random ids. One that receives wrong answers is under attack: it is closed, and its queries go by TCP.

import { contain, type OnFailure, tellFailure } from "../../core/contain.ts";
import { declareCounter } from "../../core/counters/registry.ts";
import { noteTruncated } from "../../core/dns/wire/upstream-query.ts";
import { readWord, writeWord } from "../../core/dns/wire/words.ts";
import { addressBytes, familyOf } from "../../core/model/address.ts";
import type { Upstream } from "../../core/model/upstream.ts";
import { receiveConnected, SendQueue, watchSocket } from "../kernel/datagrams.ts";
import * as libc from "../kernel/libc.ts";
import { socketAddress } from "../kernel/socket-address.ts";
import type { RandomBits } from "./random.ts";

const strayMessages = declareCounter({
  name: "upstream_stray_messages",
  help: "Messages from upstream that answered no open question: late, repeated, or forged.",
  words: { one: "stray message from upstream", many: "stray messages from upstream" },
});

export interface UdpAsker {
  /** Takes a message with this query's id; false when it does not answer it. */
  receive(message: Uint8Array): boolean;
  /** `attacked`: ask by TCP. `failed`: the server cannot be reached so. */
  fail(reason: "attacked" | "failed"): void;
}

/** Queries that one socket serves in its life. */
const usesPerSocket = 64;
/** How long a socket takes new queries, ms. */
const socketLifeMs = 2_000;
/** Wrong answers that a socket bears. */
const maxStrikes = 32;

export interface UdpChannelOptions {
  readonly upstream: Upstream;
  readonly random: RandomBits;
  readonly openedAtMs: number;
  /** Told of what fails on our side; the queries of the socket fail then. */
  readonly told: OnFailure;
  /** It is no more; called once. */
  readonly onClose: (channel: UdpChannel) => void;
}

export class UdpChannel {
  readonly #options: UdpChannelOptions;
  readonly #fd: number;
  readonly #sending: SendQueue;
  readonly #closeSocket: () => void;
  readonly #pending = new Map<number, UdpAsker>();
  /** Ids of queries that were given up; one answer to each is late, not wrong. */
  readonly #givenUp = new Set<number>();
  #uses = 0;
  #strikes = 0;
  #isRetired = false;
  #isOpen = true;

  /** @throws SystemCallError when there is no way to the server, or no descriptor */
  constructor(options: UdpChannelOptions) {
    this.#options = options;
    this.#fd = openConnected(options.upstream);
    this.#sending = new SendQueue(this.#fd, {
      onLoss: () => this.close("failed"),
      onFailure: (error) => this.#fail(error),
    });
    // Who waits for an answer has a timer; a socket that nobody waits at must not keep a process from ending.
    this.#closeSocket = watchSocket(this.#fd, () => this.#read(), false);
  }

  /** Whether it takes one more query. */
  isFresh(nowMs: number): boolean {
    return this.#isOpen && this.#uses < usesPerSocket && nowMs - this.#options.openedAtMs < socketLifeMs;
  }

  /** Sends a query; its id is overwritten. */
  ask(query: Uint8Array, asker: UdpAsker): void {
    const { random } = this.#options;
    let id = random.word();
    while (this.#pending.has(id) || this.#givenUp.has(id)) id = random.word();
    writeWord(query, 0, id);
    this.#uses++;
    this.#pending.set(id, asker);
    this.#sending.put(query);
  }

  /** Gives up a query that was asked here, and has no answer yet. */
  giveUp(query: Uint8Array): void {
    const id = readWord(query, 0);
    if (!this.#pending.delete(id)) return;
    this.#givenUp.add(id);
    this.#closeIfDone();
  }

  /** It takes no more queries, and closes with the end of its last one. */
  retire(): void {
    this.#isRetired = true;
    this.#closeIfDone();
  }

  close(reason: "attacked" | "failed"): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#options.onClose(this);
    this.#sending.close();
    this.#closeSocket();
    const left = [...this.#pending.values()];
    this.#pending.clear();
    for (const asker of left) contain(() => asker.fail(reason), this.#options.told);
  }

  #closeIfDone(): void {
    if (this.#isRetired && this.#pending.size === 0) this.close("failed");
  }

  /** Connected sockets hear of a closed port (ECONNREFUSED) and of a missing route. */
  #read(): void {
    try {
      receiveConnected(this.#fd, (message, isCut) => {
        if (isCut) noteTruncated(message);
        if (this.#isOpen) this.#receive(message);
      });
    } catch (error) {
      if (error instanceof libc.SystemCallError) this.close("failed");
      else tellFailure(error, (cause) => this.#fail(cause));
    }
  }

  #fail(error: unknown): void {
    this.close("failed");
    this.#options.told(error);
  }

  #receive(message: Uint8Array): void {
    const id = readWord(message, 0);
    const asker = this.#pending.get(id);
    if (asker?.receive(message) === true) {
      this.#pending.delete(id);
      this.#closeIfDone();
      return;
    }
    strayMessages.add();
    if (asker === undefined && this.#givenUp.delete(id)) return;
    this.#strikes++;
    if (this.#strikes >= maxStrikes) this.close("attacked");
  }
}

/** @throws SystemCallError */
function openConnected({ address, port }: Upstream): number {
  const what = `a socket for ${address}`;
  const fd = libc.socket(familyOf(address) === 4 ? libc.AF_INET : libc.AF_INET6, libc.SOCK_DGRAM, 0, what);
  try {
    libc.connect(fd, socketAddress(addressBytes(address), port), what);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
