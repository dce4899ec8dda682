// A client and a server that both keep to TCP, and a network between them that loses, doubles and exchanges packets.

import assert from "node:assert/strict";
import { FlowTable, flowLimits } from "../../../src/core/name-check/flows.ts";
import { advance, distance } from "../../../src/core/name-check/range.ts";
import { type Segment, tcpFlags } from "../../../src/core/name-check/segment.ts";
import type { Random } from "../seeded.ts";
import { type Habits, Kernel } from "./kernel.ts";
import { NaiveServer } from "./naive-server.ts";
import { cutRandomly, ofClient } from "./packets.ts";

export interface Talk extends Habits {
  readonly allows: (name: string) => boolean;
  readonly answer: (accepted: Buffer) => Uint8Array;
  /** What the client says, each when it has heard so many bytes. */
  readonly says: readonly { readonly bytes: Buffer; readonly heard: number }[];
  readonly piecesAtMost?: number;
}

/** How a talk went. */
export interface Told {
  readonly kernel: Kernel;
  readonly accepted: Buffer;
  readonly heard: number;
  readonly table: FlowTable;
}

class HonestClient {
  readonly initial: number;
  readonly #talk: Talk;
  readonly #random: Random;
  /** Pieces in their order, of everything said so far. */
  readonly #pieces: { readonly at: number; readonly bytes: Buffer }[] = [];
  readonly #got = new Map<number, number>();
  #said = 0;
  #turns = 0;
  #serverFirst: number | undefined;
  heard = 0;

  constructor(talk: Talk, random: Random) {
    this.#talk = talk;
    this.#random = random;
    this.initial = random(2) === 0 ? 2 ** 32 - 1 - random(3000) : random(2 ** 32);
  }

  take({ seq, flags, payload }: Segment): void {
    if ((flags & tcpFlags.syn) !== 0) this.#serverFirst ??= advance(seq, 1);
    if (this.#serverFirst === undefined) return;
    const from = this.heard + distance(advance(this.#serverFirst, this.heard), seq);
    for (const [index, byte] of payload.entries()) this.#got.set(from + index, byte);
    while (this.#got.has(this.heard)) this.heard++;
  }

  /** What it sends when nothing has come for a while: everything that it has said. */
  send(): Segment[] {
    if (this.#serverFirst === undefined) return [ofClient({ seq: this.initial, flags: tcpFlags.syn })];
    for (const { bytes, heard } of this.#talk.says.slice(this.#turns)) {
      if (this.heard < heard) break;
      this.#turns++;
      this.#say(bytes);
    }
    const ack = advance(this.#serverFirst, this.heard);
    return this.#pieces.map(({ at, bytes }) =>
      ofClient({ seq: this.initial + 1 + at, ack, flags: tcpFlags.ack | 8, payload: bytes }),
    );
  }

  #say(bytes: Buffer): void {
    for (const piece of cutRandomly(bytes, this.#random, this.#talk.piecesAtMost ?? 12)) {
      this.#pieces.push({ at: this.#said, bytes: piece });
      this.#said += piece.length;
    }
  }
}

/** Has both talk until the server has accepted all and the client has heard all; fails when they never get there. */
export function talkOver(talk: Talk, random: Random, isOver: (told: Told) => boolean): Told {
  const table = new FlowTable(flowLimits, (_key, { name }) => talk.allows(name));
  const kernel = new Kernel(table, talk);
  const initial = random(2 ** 32);
  const server = new NaiveServer({ keeps: "first", answer: talk.answer, nextInitial: () => initial });
  const client = new HonestClient(talk, random);
  const told = (): Told => ({ kernel, accepted: server.accepted, heard: client.heard, table });
  for (let nowMs = 0; nowMs < 300 * 20; nowMs += 20) {
    for (const segment of lossy(client.send(), random)) kernel.fromClient({ segment }, nowMs);
    for (const { segment } of lossy(kernel.toServer.splice(0), random)) {
      for (const answer of lossy(server.take(segment), random)) kernel.fromServer(answer, nowMs);
    }
    if (random(3) === 0)
      for (const answer of lossy(server.sendAgain(), random)) kernel.fromServer(answer, nowMs);
    for (const { segment } of lossy(kernel.toClient.splice(0), random)) client.take(segment);
    if (isOver(told())) return told();
    if (kernel.mark === "cut") break;
  }
  assert.fail(`it ended as ${kernel.mark}: ${JSON.stringify(kernel.notes)}`);
}

function lossy<Item>(items: readonly Item[], random: Random): Item[] {
  const arrived = items.flatMap((item) => [[], [item], [item], [item], [item, item]][random(5)] ?? []);
  if (arrived.length > 1 && random(2) === 0) {
    const [moved] = arrived.splice(random(arrived.length), 1);
    if (moved !== undefined) arrived.splice(random(arrived.length + 1), 0, moved);
  }
  return arrived;
}
