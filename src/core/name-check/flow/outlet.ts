// What of a flow is held and what is out, and the mark by which the kernel goes on with it.

import type { ClientStream } from "./client-stream.ts";
import { type HeldPacket, HeldPackets } from "./held-packets.ts";
import type { Objection } from "./reader.ts";
import type { AskedAs, FlowMark, FlowRules, Step } from "./steps.ts";

/** Nothing is done for this packet beside. */
export function dropped(ids: readonly number[]): readonly Step[] {
  return ids.length === 0 ? [] : [{ kind: "drop", ids }];
}

export function released(id: number): readonly Step[] {
  return [{ kind: "release", ids: [id] }];
}

export class Outlet {
  readonly held = new HeldPackets();
  /** The next byte of the server's that the client waits for, as it said last. */
  clientAck: number;
  readonly #rules: FlowRules;
  readonly #stream: ClientStream;
  #mark: FlowMark | undefined;

  constructor(rules: FlowRules, stream: ClientStream, clientAck: number) {
    this.#rules = rules;
    this.#stream = stream;
    this.clientAck = clientAck;
  }

  /** Undefined while nothing is out. */
  get mark(): FlowMark | undefined {
    return this.#mark;
  }

  get hasEnded(): boolean {
    return this.#mark === "admitted" || this.#mark === "audited" || this.#mark === "cut";
  }

  /** Lets those held packets go that end before this position. */
  letGo(position: number): readonly Step[] {
    const packets = this.held.takeUntil(position);
    const last = packets.at(-1);
    if (last === undefined) return [];
    const marking = this.setMark("released");
    this.#stream.pass(last.end);
    return [...marking, { kind: "release", ids: packets.map(({ id }) => id) }];
  }

  /** A packet of which all was read, or need not be. */
  letPass(id: number, end: number): readonly Step[] {
    this.#stream.pass(end);
    return released(id);
  }

  /** Holds a packet until it is let go. */
  hold(packet: HeldPacket): void {
    this.held.add(packet);
  }

  /** Nothing more is decided: what is held goes, and these packets behind it. */
  end(mark: "admitted" | "audited", ids: readonly number[]): readonly Step[] {
    const all = [...this.held.takeAll(), ...ids];
    return [...this.setMark(mark), ...(all.length === 0 ? [] : [{ kind: "release", ids: all } as const])];
  }

  /** Nothing more passes, these packets included. In audit all passes, unread from here on. */
  refuse(objection: Objection, as: AskedAs | undefined, ids: readonly number[]): readonly Step[] {
    const { refusal, name } = objection;
    const note = { kind: "note", note: { refusal, name, as: as ?? "neither" } } as const;
    if (this.#rules.isAudited) return [...this.end("audited", ids), note];
    const seq = this.#stream.sequenceOf(this.#stream.passed);
    const reset = {
      toClient: { seq: this.clientAck, ack: this.#stream.sequenceOf(this.#stream.next) },
      toServer: { seq },
    };
    const all = [...this.held.takeAll(), ...ids];
    return [...this.setMark("cut"), ...dropped(all), { kind: "reset", reset }, note];
  }

  /** A step only where it is another. */
  setMark(mark: FlowMark): readonly Step[] {
    if (this.#mark === mark) return [];
    this.#mark = mark;
    if (this.hasEnded) this.#stream.forget(Number.POSITIVE_INFINITY);
    return [{ kind: "mark", mark }];
  }
}
