// TCP as a server does it, as naively as can be: bytes that come early wait, of two copies the first or the last one
// counts, and what lies partly before the next byte is cut, not dropped.

import { advance, distance } from "../../../src/core/name-check/range.ts";
import { type Segment, tcpFlags } from "../../../src/core/name-check/segment.ts";
import { ofServer, type Parts } from "./packets.ts";

const windowBytes = 65_536;

/** One connection as the server has it. */
interface Connection {
  readonly first: number;
  readonly serverFirst: number;
  readonly accepted: number[];
  readonly early: Map<number, number>;
  isEstablished: boolean;
  said: Uint8Array;
}

export interface ServerHabits {
  /** Of two copies of a byte that came early. */
  readonly keeps: "first" | "last";
  /** What it says when it has accepted these bytes, all that it ever said before included. */
  readonly answer: (accepted: Buffer) => Uint8Array;
  /** The initial sequence numbers that it takes. */
  readonly nextInitial: () => number;
}

export class NaiveServer {
  #connection: Connection | undefined;
  readonly #habits: ServerHabits;

  constructor(habits: ServerHabits) {
    this.#habits = habits;
  }

  /** All that it accepted of the connection, in order. */
  get accepted(): Buffer {
    return Buffer.from(this.#connection?.accepted ?? []);
  }

  /** The sequence number of the first byte of its connection. */
  get first(): number | undefined {
    return this.#connection?.first;
  }

  /** A segment that arrived; what it sends for it. */
  take(segment: Segment): Segment[] {
    const { flags } = segment;
    if ((flags & tcpFlags.rst) !== 0) {
      if (segment.seq === this.#next()) this.#connection = undefined;
      return [];
    }
    if ((flags & tcpFlags.syn) !== 0) return this.#takeSyn(segment);
    const connection = this.#connection;
    if (connection === undefined || (flags & tcpFlags.ack) === 0 || segment.signed) return [];
    const end = advance(connection.serverFirst, connection.said.length);
    if (!connection.isEstablished && segment.ack !== connection.serverFirst) return [];
    if (distance(segment.ack, end) < 0) return [];
    connection.isEstablished = true;
    if (segment.payload.length === 0) return [];
    this.#accept(connection, segment);
    const said = this.#habits.answer(Buffer.from(connection.accepted));
    if (said.length > connection.said.length) connection.said = said;
    return this.#everything(connection);
  }

  /** What is on the wire from it, as it sends it again when it hears nothing. */
  sendAgain(): Segment[] {
    const connection = this.#connection;
    if (connection === undefined) return [];
    return connection.isEstablished ? this.#everything(connection) : [this.#synAck(connection)];
  }

  #takeSyn({ seq }: Segment): Segment[] {
    const connection = this.#connection;
    if (connection !== undefined) {
      return advance(seq, 1) === connection.first && !connection.isEstablished
        ? [this.#synAck(connection)]
        : [];
    }
    const begun: Connection = {
      first: advance(seq, 1),
      serverFirst: advance(this.#habits.nextInitial(), 1),
      accepted: [],
      early: new Map(),
      isEstablished: false,
      said: new Uint8Array(0),
    };
    this.#connection = begun;
    return [this.#synAck(begun)];
  }

  #accept({ accepted, early, first }: Connection, { seq, payload }: Segment): void {
    const from = accepted.length + distance(advance(first, accepted.length), seq);
    for (const [index, byte] of payload.entries()) {
      const at = from + index;
      if (at < accepted.length || at >= accepted.length + windowBytes) continue;
      if (this.#habits.keeps === "last" || !early.has(at)) early.set(at, byte);
    }
    for (let byte = early.get(accepted.length); byte !== undefined; byte = early.get(accepted.length)) {
      early.delete(accepted.length);
      accepted.push(byte);
    }
  }

  #next(): number | undefined {
    const connection = this.#connection;
    return connection && advance(connection.first, connection.accepted.length);
  }

  #synAck({ first, serverFirst }: Connection): Segment {
    return this.#segment({ seq: serverFirst - 1, ack: first, flags: tcpFlags.syn | tcpFlags.ack });
  }

  #everything({ said, serverFirst }: Connection): Segment[] {
    const ack = this.#next() ?? 0;
    if (said.length === 0) return [this.#segment({ seq: serverFirst, ack })];
    const half = said.length >> 1;
    return [
      this.#segment({ seq: serverFirst, ack, payload: said.subarray(0, half) }),
      this.#segment({ seq: serverFirst + half, ack, payload: said.subarray(half) }),
    ];
  }

  #segment(parts: Parts): Segment {
    return ofServer(parts);
  }
}
