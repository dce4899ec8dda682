// A hostile client that knows all of TCP, behind a network that loses and exchanges packets, against a naive server.

import assert from "node:assert/strict";
import { FlowTable, flowLimits } from "../../../src/core/name-check/flows.ts";
import { advance, distance } from "../../../src/core/name-check/range.ts";
import { tcpFlags } from "../../../src/core/name-check/segment.ts";
import type { Random } from "../seeded.ts";
import { Kernel } from "./kernel.ts";
import { NaiveServer } from "./naive-server.ts";
import { ofClient, type Packet } from "./packets.ts";

export interface Subject {
  /** What the client may have to say. */
  readonly streams: readonly Buffer[];
  /** What it would like a server to begin to read within one of them. */
  readonly nested: Buffer;
  readonly allows: (name: string) => boolean;
  readonly answer: (accepted: Buffer) => Uint8Array;
  /** Bytes whose content decides nothing, of all that the server has accepted and the client sent. */
  readonly isFree: (position: number) => boolean;
  /** After each packet, and once when it is let go. */
  readonly check: (accepted: Buffer, kernel: Kernel) => void;
}

export interface Outcome {
  readonly kernel: Kernel;
  readonly server: NaiveServer;
  /** How many connections the server has had. */
  readonly connections: number;
}

const turns = 40;

/** One connection, with whatever is tried beside it. */
export function attack(subject: Subject, random: Random): Outcome {
  const client = new Client(subject, random);
  client.play();
  return { kernel: client.kernel, server: client.server, connections: client.initials.length };
}

class Client {
  readonly kernel: Kernel;
  readonly server: NaiveServer;
  /** Initial sequence numbers of the server. */
  readonly initials: number[] = [];
  readonly #subject: Subject;
  readonly #random: Random;
  readonly #story: Buffer;
  /** Of how many packets one is a trick, and one has no payload. */
  readonly #habits: { readonly tricks: number; readonly bare: number };
  #initial: number;
  #told = 0;
  /** For each byte that was let go and the server did not have, what it was; of one connection of the server's. */
  readonly #passed = new Map<number, number>();

  constructor(subject: Subject, random: Random) {
    const table = new FlowTable(flowLimits, (_key, { name }) => subject.allows(name));
    this.kernel = new Kernel(table, { seesAcks: random(2) === 0 });
    this.server = new NaiveServer({
      keeps: random(2) === 0 ? "first" : "last",
      answer: subject.answer,
      nextInitial: () => this.initials[this.initials.push(random(2 ** 32)) - 1] ?? 0,
    });
    this.#subject = subject;
    this.#random = random;
    this.#story = subject.streams[random(subject.streams.length)] ?? subject.nested;
    this.#habits = { tricks: 2 + random(12), bare: 4 + random(40) };
    this.#initial = random(2) === 0 ? 2 ** 32 - 1 - random(400) : random(2 ** 32);
  }

  play(): void {
    this.#shakeHands();
    if (this.#random(5) === 0) this.#beginAnew();
    let wasAdmitted = false;
    for (let turn = 0; turn < turns; turn++) {
      if (this.kernel.mark === "cut" && this.#random(3) > 0) break;
      this.#send(this.#anyPacket(), turn);
      if (this.#random(3) === 0) this.#hearAgain(turn);
      const { accepted } = this.server;
      this.#subject.check(accepted, this.kernel);
      if (!this.kernel.marks.includes("released")) assert.equal(accepted.length, 0);
      if (!wasAdmitted && this.kernel.marks.includes("admitted")) {
        wasAdmitted = true;
        for (const [at, byte] of accepted.entries()) {
          assert.ok(this.#subject.isFree(at) || this.#passed.get(at) === byte, `byte ${at}`);
        }
      }
    }
  }

  #anyPacket(): Packet {
    if (this.#random(this.#habits.bare) === 0) return this.#bare();
    return this.#random(this.#habits.tricks) === 0 ? this.#trick() : this.#inOrder();
  }

  #send(packet: Packet, nowMs: number): void {
    this.kernel.fromClient(packet, nowMs);
    this.#deliver(nowMs);
  }

  /** Until the server's SYN-ACK was seen, or so many have been lost. */
  #shakeHands(): void {
    const patience = this.#random(10) === 0 ? 1 : 8;
    for (let tries = 0; tries < patience; tries++) {
      this.#send({ segment: ofClient({ seq: this.#initial, flags: tcpFlags.syn }) }, 0);
      this.#hearAgain(0);
    }
  }

  #beginAnew(): void {
    const reset = ofClient({ seq: this.#initial + 1, flags: tcpFlags.rst });
    this.#send({ segment: reset, isLost: this.#random(4) === 0 }, 0);
    this.#initial += [0, 1, -1, this.#story.indexOf(this.#subject.nested)][this.#random(4)] ?? 0;
    this.#shakeHands();
  }

  /** The next bytes of what it says beside its tricks, or those before once more. */
  #inOrder(): Packet {
    const from = this.#random(6) === 0 ? 0 : this.#told;
    const to = Math.min(from + 1 + this.#random(200), this.#story.length);
    this.#told = Math.max(this.#told, to);
    return { segment: this.#segment(from, this.#story.subarray(from, to)) };
  }

  #segment(at: number, payload: Uint8Array): Packet["segment"] {
    return ofClient({ seq: this.#initial + 1 + at, ack: (this.initials.at(-1) ?? 0) + 1, payload });
  }

  /** Bytes of another stream, elsewhere, changed, odd, or with too few hops, a wrong checksum or an old timestamp. */
  #trick(): Packet {
    const random = this.#random;
    const { streams, nested } = this.#subject;
    const stream = streams[random(streams.length)] ?? nested;
    const from = random(3) === 0 ? 0 : random(stream.length);
    const to = random(3) === 0 ? stream.length : from + 1 + random(stream.length - from);
    const shifts = [0, 0, 0, 0, -1, 1, -stream.indexOf(nested), -stream.length, 2 ** 31, random(60) - 30];
    const payload = Buffer.from(stream.subarray(from, to));
    if (random(8) === 0) payload[random(payload.length)] = random(256);
    const flags = [tcpFlags.ack | 8, tcpFlags.ack | tcpFlags.fin, 0][random(12)] ?? tcpFlags.ack;
    const isOdd = random(20) === 0;
    return {
      segment: ofClient({
        seq: this.#initial + 1 + from + (shifts[random(shifts.length)] ?? 0),
        ack: (this.initials.at(-1) ?? 0) + 1 + (random(4) === 0 ? random(200) - 60 : 0),
        flags,
        payload,
        urgent: isOdd && random(2) === 0,
        signed: isOdd,
      }),
      isLost: random(3) === 0,
    };
  }

  #bare(): Packet {
    const random = this.#random;
    const seq = this.#initial + 1;
    const ack = (this.initials.at(-1) ?? 0) + 1;
    const kinds = [
      { seq: this.#initial, flags: tcpFlags.syn },
      { seq: this.#initial + random(500) - 250, flags: tcpFlags.syn },
      { seq, flags: tcpFlags.rst },
      { seq, ack, flags: tcpFlags.fin | tcpFlags.ack },
    ];
    return { segment: ofClient(kinds[random(5)] ?? { seq, ack }), isLost: random(3) === 0 };
  }

  /** What is on its way arrives, or is lost, in any order. */
  #deliver(nowMs: number): void {
    const random = this.#random;
    const { toServer } = this.kernel;
    while (toServer.length > 0) {
      const [packet] = toServer.splice(random(8) === 0 ? random(toServer.length) : 0, 1);
      if (packet === undefined) break;
      this.#note(packet);
      if (packet.isLost === true || random(10) === 0) continue;
      const { first } = this.server;
      const answers = this.server.take(packet.segment);
      if (this.server.first !== first) this.#passed.clear();
      for (const answer of answers) if (random(8) > 0) this.kernel.fromServer(answer, nowMs);
    }
    this.kernel.toClient.length = 0;
  }

  #hearAgain(nowMs: number): void {
    for (const segment of this.server.sendAgain()) this.kernel.fromServer(segment, nowMs);
  }

  /** Of each byte that is let go, and that the server does not have already, there is one value. */
  #note({ segment }: Packet): void {
    const { first } = this.server;
    if (this.kernel.mark === "admitted" || first === undefined) return;
    const had = this.server.accepted.length;
    for (const [index, byte] of segment.payload.entries()) {
      const at = distance(first, advance(segment.seq, index));
      if (at < had || this.#subject.isFree(at)) continue;
      assert.equal(byte, this.#passed.get(at) ?? byte, `byte ${at} was let go as two`);
      this.#passed.set(at, byte);
    }
  }
}
