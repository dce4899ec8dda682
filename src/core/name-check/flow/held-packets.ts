// Packets of a client that wait for what they are a part of, in the order of the stream.

export interface HeldPacket {
  readonly id: number;
  /** The position of what it brought new, and the one behind it. */
  readonly from: number;
  readonly end: number;
}

export class HeldPackets {
  #packets: HeldPacket[] = [];

  get count(): number {
    return this.#packets.length;
  }

  /** Bytes that they brought. */
  get bytes(): number {
    const [first] = this.#packets;
    return first === undefined ? 0 : (this.#packets.at(-1) ?? first).end - first.from;
  }

  /** Where the first begins; undefined when there is none. */
  get from(): number | undefined {
    return this.#packets[0]?.from;
  }

  add(packet: HeldPacket): void {
    this.#packets.push(packet);
  }

  /** Takes out those that end before this position, or at it. */
  takeUntil(position: number): readonly HeldPacket[] {
    const first = this.#packets.findIndex(({ end }) => end > position);
    return this.#packets.splice(0, first < 0 ? this.#packets.length : first);
  }

  /** Takes out all. */
  takeAll(): readonly number[] {
    return this.#packets.splice(0).map(({ id }) => id);
  }
}
