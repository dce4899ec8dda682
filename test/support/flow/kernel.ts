// The rules by which packets of a connection come to the table of flows, and what is done of what it says. It holds the
// table to its word: each packet is let go or dropped once, and nothing is let go before the mark that allows it.

import assert from "node:assert/strict";
import type { FlowMark, Note } from "../../../src/core/name-check/flow/steps.ts";
import type { FlowStep, FlowTable } from "../../../src/core/name-check/flows.ts";
import { type Segment, tcpFlags } from "../../../src/core/name-check/segment.ts";
import type { Packet } from "./packets.ts";

interface Waiting {
  readonly packet: Packet;
  readonly from: "client" | "server";
}

export interface Habits {
  readonly isAudited?: boolean;
  readonly allowsEch?: boolean;
  /** Whether acknowledgements without payload come to the table while bytes are out. */
  readonly seesAcks?: boolean;
}

export class Kernel {
  mark: FlowMark | "unread" | undefined;
  readonly notes: Note[] = [];
  readonly marks: FlowMark[] = [];
  resets = 0;
  readonly toServer: Packet[] = [];
  readonly toClient: Packet[] = [];
  readonly #table: FlowTable;
  readonly #habits: Habits;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  /** A reset of the client's went by. */
  #isClosed = false;

  constructor(table: FlowTable, habits: Habits = {}) {
    this.#table = table;
    this.#habits = habits;
  }

  /** How many packets the table holds. */
  get held(): number {
    return this.#waiting.size;
  }

  /** A packet of the client's. */
  fromClient(packet: Packet, nowMs: number): void {
    const { flags, payload } = packet.segment;
    const isSyn = (flags & tcpFlags.syn) !== 0 && (flags & tcpFlags.ack) === 0;
    if (isSyn && payload.length > 0) return;
    // Connection tracking has it anew then.
    if (isSyn && this.#isClosed) this.mark = undefined;
    this.#isClosed = !isSyn && (this.#isClosed || (flags & tcpFlags.rst) !== 0);
    if (this.mark === undefined) {
      if (!isSyn) return;
      this.mark = "unread";
    }
    if (isSyn && this.mark !== "unread") this.mark = "cut";
    if (this.mark === "cut") return;
    const isSeen = payload.length > 0 || (flags & (tcpFlags.syn | tcpFlags.fin | tcpFlags.rst)) !== 0;
    const isFree = this.mark === "admitted" || this.mark === "audited";
    if (isFree || !isSeen) this.toServer.push(packet);
    else this.#queue(packet, "client", nowMs);
  }

  /** A packet of the server's. */
  fromServer(segment: Segment, nowMs: number): void {
    const isBare = segment.payload.length === 0;
    const isSynAck = (segment.flags & tcpFlags.syn) !== 0;
    if (this.mark === "cut" || this.mark === undefined) return;
    const isSeen =
      (this.mark === "unread" && (isSynAck || !isBare)) ||
      (this.mark === "released" && (!isBare || this.#habits.seesAcks === true));
    if (isSeen) this.#queue({ segment }, "server", nowMs);
    else this.toClient.push({ segment });
  }

  /** Does what the table says. */
  carryOut(steps: readonly FlowStep[]): void {
    for (const step of steps) this.#carryOut(step);
  }

  #queue(packet: Packet, from: Waiting["from"], nowMs: number): void {
    const id = ++this.#lastId;
    this.#waiting.set(id, { packet, from });
    const standing = {
      isAudited: this.#habits.isAudited === true,
      allowsEch: this.#habits.allowsEch !== false,
    };
    const steps = this.#table.take({ id, segment: packet.segment, from }, standing, nowMs);
    const named = steps.some((step) => step.kind === "hold" && step.id === id);
    this.carryOut(steps);
    assert.equal(this.#waiting.has(id), named, "a packet is held without a word, or dealt with twice");
  }

  #carryOut(step: FlowStep): void {
    switch (step.kind) {
      case "hold":
        assert.ok(this.#waiting.has(step.id));
        return;
      case "drop":
        for (const id of step.ids) assert.ok(this.#waiting.delete(id));
        return;
      case "mark":
        assert.notEqual(step.mark, this.mark);
        this.mark = step.mark;
        this.marks.push(step.mark);
        return;
      case "release":
        for (const id of step.ids) this.#release(id);
        return;
      case "reset":
        this.resets++;
        return;
      default:
        this.notes.push(step.note);
    }
  }

  #release(id: number): void {
    const waiting = this.#waiting.get(id);
    assert.ok(waiting !== undefined && this.#waiting.delete(id));
    const { packet, from } = waiting;
    if (packet.segment.payload.length > 0) {
      assert.ok(this.mark !== "unread" && this.mark !== "cut", "payload passes that no mark allows");
    }
    (from === "client" ? this.toServer : this.toClient).push(packet);
  }
}
