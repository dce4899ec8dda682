// One connection whose name is read before any of its bytes pass. What the server may have accepted is what was read, by
// three rules: bytes are read in their order from the one behind the SYN; a copy of them passes only if it is the same;
// and the connection is let go only when the server has acknowledged what was read. A container can send what it likes
// beside: what its server drops, is not acknowledged.
// @see RFC 9293 section 3.10.7.4

import { readerFor } from "./flow/choose-reader.ts";
import { ClientStream } from "./flow/client-stream.ts";
import { type FlowKind, timeoutsMs } from "./flow/kinds.ts";
import { dropped, Outlet, released } from "./flow/outlet.ts";
import type { Objection, Reader } from "./flow/reader.ts";
import { ServerBytes } from "./flow/server-bytes.ts";
import type { AskedAs, FlowRules, Step } from "./flow/steps.ts";
import { advance } from "./range.ts";
import { type Segment, tcpFlags } from "./segment.ts";

/** More than any client cuts a hello or a head into; the kernel looks for a held packet in a list. */
const heldAtMost = 32;
/** Read, released and not acknowledged: what is more waits until the server has acknowledged some. */
const keptAtMost = 256 * 1024;
/** The next heads must be told from what is before them without an acknowledgement being seen. */
const unseenAtMost = 2 ** 30 - 2 ** 20;

export class CheckedFlow {
  readonly #rules: FlowRules;
  readonly #stream: ClientStream;
  readonly #outlet: Outlet;
  /** Sequence number of the first byte that the server says. */
  readonly #serverFirst: number;
  #reader: Reader | undefined;
  /** What is read of the server's answer. */
  #answer: ServerBytes;
  #sinceMs: number;
  /** Whether what was taken last brought the flow on, so that it gets its time anew. */
  #hasProgressed = false;

  /** @param synAck the server's: a client's own SYN may be one that never reached the server */
  constructor(rules: FlowRules, synAck: Pick<Segment, "seq" | "ack">, nowMs: number) {
    this.#rules = rules;
    this.#stream = new ClientStream(synAck.ack);
    this.#serverFirst = advance(synAck.seq, 1);
    this.#answer = new ServerBytes(this.#serverFirst);
    this.#outlet = new Outlet(rules, this.#stream, this.#serverFirst);
    this.#sinceMs = nowMs;
  }

  get kind(): FlowKind {
    const { mark, held } = this.#outlet;
    if (mark === "admitted" || mark === "audited" || mark === "cut") return "ended";
    return held.count > 0 ? "reading" : (mark ?? "begun");
  }

  /** When `expire` has something to do. */
  get deadlineMs(): number {
    return this.#sinceMs + timeoutsMs[this.kind];
  }

  /** Packets that are held, and the bytes in them. */
  get held(): { readonly count: number; readonly bytes: number } {
    return this.#outlet.held;
  }

  /** How many bytes are kept to compare copies with. */
  get keptBytes(): number {
    return this.#stream.kept;
  }

  /** Whether it is the connection that this SYN-ACK begins. */
  isBegunBy({ seq, ack }: Pick<Segment, "seq" | "ack">): boolean {
    return ack === this.#stream.sequenceOf(0) && advance(seq, 1) === this.#serverFirst;
  }

  /** Whether it is the connection that this SYN of the client's asks for, once more: nothing is out of it yet. */
  isAskedForBy({ seq }: Pick<Segment, "seq">): boolean {
    return this.#outlet.mark === undefined && advance(seq, 1) === this.#stream.sequenceOf(0);
  }

  /** A packet of the client's. */
  fromClient(id: number, segment: Segment, nowMs: number): readonly Step[] {
    return this.#timed(nowMs, () => this.#takeOfClient(id, segment));
  }

  /** A packet of the server's; without payload it need not come here, but tells the sooner what has arrived. */
  fromServer(id: number, segment: Segment, nowMs: number): readonly Step[] {
    return this.#timed(nowMs, () => this.#takeOfServer(id, segment));
  }

  /** What is due. Of a flow that waits for nothing that is nothing: it is to be forgotten, and answers may yet come. */
  expire(nowMs: number): readonly Step[] {
    const { kind } = this;
    const isWaiting = kind === "reading" || kind === "released";
    if (!isWaiting || nowMs < this.deadlineMs) return [];
    return this.#timed(nowMs, () => this.#refuse({ refusal: kind === "reading" ? "late" : "unanswered" }));
  }

  /** Ends it for want of room. */
  crowdOut(nowMs: number): readonly Step[] {
    return this.#outlet.hasEnded ? [] : this.#timed(nowMs, () => this.#refuse({ refusal: "crowded" }));
  }

  /** What to do with what it holds when it is forgotten. */
  abandon(): readonly Step[] {
    return dropped(this.#outlet.held.takeAll());
  }

  #takeOfClient(id: number, segment: Segment): readonly Step[] {
    const { payload, flags } = segment;
    if (this.#outlet.hasEnded) return payload.length === 0 ? released(id) : dropped([id]);
    if (payload.length === 0) return this.#takeBare(id, flags);
    const isOdd = !segment.plain || segment.urgent || segment.signed;
    if (isOdd || (flags & (tcpFlags.syn | tcpFlags.rst)) !== 0) return dropped([id]);
    this.#outlet.clientAck = segment.ack;
    const placed = this.#stream.place(segment.seq, payload);
    if (placed === "beyond") return dropped([id]);
    if (placed === "old") return this.#outlet.mark === undefined ? dropped([id]) : released(id);
    if (placed === "differs") return this.#refuse({ refusal: "other-bytes" }, [id]);
    if (placed.fresh !== undefined) return this.#takeFresh(id, placed.fresh, placed.end);
    const isHeld = placed.end > (this.#outlet.held.from ?? placed.end);
    return isHeld ? dropped([id]) : this.#outlet.letPass(id, placed.end);
  }

  /**
   * What has no payload passes. A client that ends the connection could have the server take what follows for bytes of
   * another one, whose first byte is elsewhere; but one that has asked may end its own direction.
   */
  #takeBare(id: number, flags: number): readonly Step[] {
    const ends = this.#outlet.mark === undefined ? tcpFlags.rst | tcpFlags.fin : tcpFlags.rst;
    if ((flags & ends) === 0) return released(id);
    return [...this.#outlet.setMark("cut"), ...this.abandon(), ...released(id)];
  }

  #takeFresh(id: number, fresh: Uint8Array, end: number): readonly Step[] {
    const { held, mark } = this.#outlet;
    if (this.#reader?.isBlocked) return dropped([id]);
    if (mark !== undefined && this.#stream.kept + fresh.length > keptAtMost) return dropped([id]);
    this.#reader ??= readerFor(fresh[0] ?? 0, this.#rules);
    const reader = this.#reader;
    if (reader === undefined) return this.#refuse({ refusal: "neither" }, [id]);
    const from = this.#stream.next;
    this.#stream.append(fresh);
    this.#outlet.hold({ id, from, end });
    const reading = reader.read(this.#stream);
    if ("refusal" in reading) return this.#refuse(reading);
    this.#hasProgressed = reading.names.length > 0;
    // An offer behind other requests: the client has heard the answers to those.
    if (reader.isBlocked && mark !== undefined) this.#answer = new ServerBytes(this.#outlet.clientAck);
    const undecidedFrom = reading.undecidedFrom ?? Number.POSITIVE_INFINITY;
    if (undecidedFrom < end && held.count > heldAtMost) return this.#refuse({ refusal: "many-segments" });
    return [
      ...reading.names.map((name) => noteOf(name, reader.as)),
      ...(undecidedFrom < end ? [{ kind: "hold", id } as const] : []),
      ...this.#outlet.letGo(undecidedFrom),
    ];
  }

  #takeOfServer(id: number, segment: Segment): readonly Step[] {
    const { payload, flags, plain } = segment;
    const { mark, hasEnded } = this.#outlet;
    if (hasEnded) return mark === "cut" ? dropped([id]) : released(id);
    const isBare = payload.length === 0;
    if (flags & tcpFlags.syn) return isBare && this.isBegunBy(segment) ? released(id) : dropped([id]);
    if (mark === undefined) return isBare ? released(id) : this.#refuse({ refusal: "server-first" }, [id]);
    // Such as a reset.
    if (!plain) return isBare ? released(id) : dropped([id]);
    const listens = this.#reader?.listens === true;
    if (listens && !isBare && !this.#answer.take(segment.seq, payload)) return dropped([id]);
    const { acked } = this.#stream;
    this.#stream.acknowledge(segment.ack);
    if (this.#stream.acked > acked) this.#hasProgressed = true;
    const outcome = listens ? this.#reader?.answered(this.#answer.bytes, this.#stream) : "on";
    if (outcome === "admitted") return this.#outlet.end(outcome, [id]);
    if (typeof outcome === "object") return this.#refuse(outcome, [id]);
    return [...this.#settle(), ...released(id)];
  }

  /** What was acknowledged can be changed no more. */
  #settle(): readonly Step[] {
    const { acked, next } = this.#stream;
    this.#stream.forget(Math.min(acked, this.#reader?.keepFrom ?? 0));
    const isSettled =
      this.#reader?.isBetween === true && this.#outlet.held.count === 0 && this.#stream.kept === 0;
    return isSettled && next - acked < unseenAtMost ? this.#outlet.setMark("requests") : [];
  }

  #refuse(objection: Objection, ids: readonly number[] = []): readonly Step[] {
    return this.#outlet.refuse(objection, this.#reader?.as, ids);
  }

  /** What `take` says; the time of a kind begins anew where it changes, and where the flow gets on. */
  #timed(nowMs: number, take: () => readonly Step[]): readonly Step[] {
    const before = this.kind;
    this.#hasProgressed = false;
    const steps = take();
    if (this.kind !== before || this.#hasProgressed || before === "requests") this.#sinceMs = nowMs;
    return steps;
  }
}

function noteOf(name: string, as: AskedAs): Step {
  return { kind: "note", note: { name, as, refusal: undefined } };
}
