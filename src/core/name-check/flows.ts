// All connections whose names are being read: bounded for each asker and for all, each for its time.

import type { IpAddress } from "../model/address.ts";
import { type FlowKind, kinds } from "./flow/kinds.ts";
import { type Amounts, Shares } from "./flow/shares.ts";
import type { AskedAs, Reset, Step } from "./flow/steps.ts";
import { CheckedFlow } from "./flow.ts";
import { advance } from "./range.ts";
import { type Segment, tcpFlags } from "./segment.ts";

/** A connection as its container knows it. */
export interface FlowKey {
  readonly client: IpAddress;
  readonly clientPort: number;
  readonly server: IpAddress;
  readonly serverPort: number;
}

export type FlowStep = Step & { readonly key: FlowKey };

/** How an asker's flows are judged: audit refuses nothing. */
export interface FlowStanding {
  readonly isAudited: boolean;
  readonly allowsEch: boolean;
}

export interface FlowLimits {
  readonly perAsker: Amounts;
  readonly inAll: Amounts;
}

const KB = 1024;
const MB = 1024 * KB;

export const flowLimits: FlowLimits = {
  perAsker: { heldPackets: 64, heldBytes: 512 * KB, reading: 256, flows: 2048, keptBytes: 8 * MB },
  inAll: { heldPackets: 512, heldBytes: 16 * MB, reading: 4096, flows: 32_768, keptBytes: 128 * MB },
};

/** One packet of a checked connection, and which of its ends sent it. */
export interface FlowPacket {
  /** Names it in steps; of no other packet that is held. */
  readonly id: number;
  readonly segment: Segment;
  readonly from: "client" | "server";
}

/** Kinds of flows that wait for nothing: they are forgotten without a word. */
const silent: ReadonlySet<FlowKind> = new Set<FlowKind>(["begun", "requests", "ended"]);

interface Entry {
  readonly key: FlowKey;
  readonly asker: IpAddress;
  readonly flow: CheckedFlow;
  deadlineMs: number;
}

type Decide = (key: FlowKey, asked: { readonly as: AskedAs; readonly name: string }) => boolean;

export class FlowTable {
  readonly #limits: FlowLimits;
  readonly #decide: Decide;
  readonly #entries = new Map<string, Entry>();
  readonly #shares = new Shares<Entry>();

  /** @param decide whether the client of this connection may ask for the name, now */
  constructor(limits: FlowLimits, decide: Decide) {
    this.#limits = limits;
    this.#decide = decide;
  }

  /**
   * What to do for a packet; steps for others come with it where there is no room. A connection begins with the server's
   * SYN-ACK: of one whose SYN-ACK was not seen it is not known where its first byte is. A SYN for another one ends it.
   */
  take(packet: FlowPacket, standing: FlowStanding, nowMs: number): readonly FlowStep[] {
    const key = keyOf(packet);
    const text = textOf(key);
    const known = this.#entries.get(text);
    const begun = isSynAck(packet) && known?.flow.isBegunBy(packet.segment) !== true;
    const entry = begun ? this.#begin(key, packet.segment, standing, nowMs) : known;
    if (entry === undefined) return withKey(key, ofUnknown(packet, standing));
    if (isSyn(packet) && !entry.flow.isAskedForBy(packet.segment)) {
      return [...this.#drop(entry), ...withKey(key, ofUnknown(packet, standing))];
    }
    const steps = begun && known !== undefined ? this.#drop(known) : [];
    if (begun) this.#entries.set(text, entry);
    const { id, segment } = packet;
    const own =
      packet.from === "client"
        ? entry.flow.fromClient(id, segment, nowMs)
        : entry.flow.fromServer(id, segment, nowMs);
    this.#count(entry);
    return [...steps, ...withKey(key, own), ...this.#makeRoom(entry.asker, nowMs)];
  }

  /** The asker's address is another's now, or it may do nothing more: what is held of it is dropped. */
  forget(asker: IpAddress): readonly FlowStep[] {
    return [...this.#shares.ofAsker(asker)].flatMap((entry) => this.#drop(entry));
  }

  /** What is due. */
  expire(nowMs: number): readonly FlowStep[] {
    return kinds.flatMap((kind) => this.#expireKind(kind, nowMs));
  }

  /** When `expire` has something to do next; undefined while nothing is waited for. */
  nextExpiryMs(): number | undefined {
    let next: number | undefined;
    for (const kind of kinds) {
      const [first] = this.#shares.ofKind(kind);
      if (first !== undefined) next = Math.min(next ?? first.deadlineMs, first.deadlineMs);
    }
    return next;
  }

  #begin(key: FlowKey, synAck: Segment, standing: FlowStanding, nowMs: number): Entry {
    const ask = (as: AskedAs, name: string): boolean => this.#decide(key, { as, name });
    const flow = new CheckedFlow({ ...standing, ask }, synAck, nowMs);
    return { key, asker: key.client, flow, deadlineMs: flow.deadlineMs };
  }

  #count(entry: Entry): void {
    const { deadlineMs } = entry.flow;
    this.#shares.count(entry, deadlineMs !== entry.deadlineMs);
    entry.deadlineMs = deadlineMs;
  }

  #expireKind(kind: FlowKind, nowMs: number): readonly FlowStep[] {
    const steps: FlowStep[] = [];
    for (const entry of [...this.#shares.ofKind(kind)]) {
      if (entry.deadlineMs > nowMs) break;
      steps.push(...this.#giveUp(entry, () => entry.flow.expire(nowMs)));
    }
    return steps;
  }

  /** Flows that give way, until nobody has too much. */
  #makeRoom(asker: IpAddress, nowMs: number): readonly FlowStep[] {
    const { perAsker, inAll } = this.#limits;
    const steps: FlowStep[] = [];
    for (;;) {
      const entry = this.#shares.victim(asker, perAsker, inAll);
      if (entry === undefined) return steps;
      steps.push(...this.#giveUp(entry, () => entry.flow.crowdOut(nowMs)));
    }
  }

  #giveUp(entry: Entry, refuse: () => readonly Step[]): readonly FlowStep[] {
    if (silent.has(entry.flow.kind)) return this.#drop(entry);
    const steps = withKey(entry.key, refuse());
    this.#count(entry);
    return steps;
  }

  #drop(entry: Entry): readonly FlowStep[] {
    this.#shares.leave(entry);
    this.#entries.delete(textOf(entry.key));
    return withKey(entry.key, entry.flow.abandon());
  }
}

function isSyn({ segment, from }: FlowPacket): boolean {
  return from === "client" && segment.payload.length === 0 && (segment.flags & tcpFlags.syn) !== 0;
}

function isSynAck({ segment, from }: FlowPacket): boolean {
  const both = tcpFlags.syn | tcpFlags.ack;
  const isBare = segment.payload.length === 0 && (segment.flags & tcpFlags.rst) === 0;
  return from === "server" && isBare && (segment.flags & both) === both;
}

function ofUnknown({ id, segment, from }: FlowPacket, { isAudited }: FlowStanding): readonly Step[] {
  if (segment.payload.length === 0) return [{ kind: "release", ids: [id] }];
  const note: Step = { kind: "note", note: { name: undefined, as: "neither", refusal: "unknown" } };
  if (isAudited) return [{ kind: "mark", mark: "audited" }, { kind: "release", ids: [id] }, note];
  const { seq, ack } = segment;
  const end = advance(seq, segment.payload.length);
  const reset: Reset =
    from === "client"
      ? { toClient: { seq: ack, ack: end }, toServer: { seq } }
      : { toClient: { seq, ack }, toServer: { seq: ack } };
  return [{ kind: "mark", mark: "cut" }, { kind: "drop", ids: [id] }, { kind: "reset", reset }, note];
}

function keyOf({ segment, from }: FlowPacket): FlowKey {
  const { source, sourcePort, destination, destinationPort } = segment;
  return from === "client"
    ? { client: source, clientPort: sourcePort, server: destination, serverPort: destinationPort }
    : { client: destination, clientPort: destinationPort, server: source, serverPort: sourcePort };
}

function textOf({ client, clientPort, server, serverPort }: FlowKey): string {
  return `${client} ${clientPort} ${server} ${serverPort}`;
}

function withKey(key: FlowKey, steps: readonly Step[]): readonly FlowStep[] {
  return steps.map((step) => ({ ...step, key }));
}
