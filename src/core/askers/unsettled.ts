// What happens to packets from ports whose sandbox is not known yet. They were sent before the host's rules could know
// their sender: if the sender turns out to be guarded, it has sent them past its guard.

/**
 * What is known of a port: its container is on no guarded network, is on one, or may be; or it is gone, and nobody will
 * ever tell whose it was.
 */
export type PortState = "open" | "guarded" | "unknown" | "gone";

export interface PacketVerdict {
  readonly id: number;
  readonly verdict: "passes" | "refused";
  /** True where nobody has told in time whose port it is. */
  readonly isLate: boolean;
}

interface Held {
  readonly id: number;
  readonly port: number;
  readonly sinceMs: number;
}

/** How long a packet waits until it is known whose it is. Longer than a busy host takes to read its engine. */
const knownWithinMs = 10_000;
/** Of one port, so that none of them fills the queue of all. */
const heldAtMost = 256;

export class UnsettledPackets {
  #held: Held[] = [];
  readonly #counts = new Map<number, number>();

  get size(): number {
    return this.#held.length;
  }

  /** @returns false where as many of its port wait as may: it is refused */
  add(id: number, port: number, nowMs: number): boolean {
    const count = this.#counts.get(port) ?? 0;
    if (count >= heldAtMost) return false;
    this.#counts.set(port, count + 1);
    this.#held.push({ id, port, sinceMs: nowMs });
    return true;
  }

  /** Decides on those of which enough is known by now, in the order in which they came. */
  decide(stateOf: (port: number) => PortState, nowMs: number): readonly PacketVerdict[] {
    const states = new Map<number, PortState>();
    const decisions: PacketVerdict[] = [];
    const rest: Held[] = [];
    this.#counts.clear();
    for (const held of this.#held) {
      const { id, port, sinceMs } = held;
      const state = states.get(port) ?? stateOf(port);
      states.set(port, state);
      const isLate = state === "unknown" && nowMs - sinceMs >= knownWithinMs;
      if (state === "unknown" && !isLate) {
        rest.push(held);
        this.#counts.set(port, (this.#counts.get(port) ?? 0) + 1);
      } else decisions.push({ id, verdict: state === "open" ? "passes" : "refused", isLate });
    }
    this.#held = rest;
    return decisions;
  }
}
