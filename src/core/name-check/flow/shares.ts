// How much of what is bounded each asker has. Where all have too much, the one with the most gives way, so that nobody
// loses a flow by what another does while it has no more than its share.

import type { IpAddress } from "../../model/address.ts";
import type { CheckedFlow } from "../flow.ts";
import { type FlowKind, kinds } from "./kinds.ts";

/**
 * Packets that are held, and bytes in them; flows with such packets; all flows; and bytes that are kept to compare copies
 * with.
 */
export const measures = ["heldPackets", "heldBytes", "reading", "flows", "keptBytes"] as const;
export type Measure = (typeof measures)[number];
export type Amounts = Readonly<Record<Measure, number>>;

/** Of which kinds one is given up for a measure, the oldest of the first kind there is. */
const victims: Readonly<Record<Measure, readonly FlowKind[]>> = {
  heldPackets: ["reading"],
  heldBytes: ["reading"],
  reading: ["reading"],
  flows: ["ended", "begun", "requests", "released", "reading"],
  keptBytes: ["reading", "released", "requests"],
};

export interface Holder {
  readonly asker: IpAddress;
  readonly flow: CheckedFlow;
}

interface Counted {
  readonly kind: FlowKind;
  readonly amounts: Amounts;
}

/** What one asker has, or all. */
class Share<Held extends Holder> {
  readonly amounts: Record<Measure, number> = {
    heldPackets: 0,
    heldBytes: 0,
    reading: 0,
    flows: 0,
    keptBytes: 0,
  };
  /** By their kind, in the order in which they came to be of it or got their time anew. */
  readonly byKind: Readonly<Record<FlowKind, Set<Held>>> = {
    begun: new Set(),
    reading: new Set(),
    released: new Set(),
    requests: new Set(),
    ended: new Set(),
  };
}

export class Shares<Held extends Holder> {
  readonly #all = new Share<Held>();
  readonly #ofAskers = new Map<IpAddress, Share<Held>>();
  readonly #counted = new Map<Held, Counted>();

  /** All flows of a kind; the one whose time ends first is first. */
  ofKind(kind: FlowKind): ReadonlySet<Held> {
    return this.#all.byKind[kind];
  }

  /** All flows of an asker. */
  *ofAsker(asker: IpAddress): Iterable<Held> {
    const share = this.#ofAskers.get(asker);
    for (const kind of kinds) yield* share?.byKind[kind] ?? [];
  }

  /** Counts a flow as it is now; behind the others of its kind if it is new there or its time began anew. */
  count(held: Held, isRenewed: boolean): void {
    const before = this.#counted.get(held);
    const { kind, keptBytes, held: packets } = held.flow;
    if (before !== undefined && (before.kind !== kind || isRenewed)) this.#remove(held, before.kind);
    for (const share of this.#sharesOf(held)) share.byKind[kind].add(held);
    const amounts = {
      heldPackets: packets.count,
      heldBytes: packets.bytes,
      reading: Number(kind === "reading"),
      flows: 1,
      keptBytes,
    };
    this.#add(held, before?.amounts, amounts);
    this.#counted.set(held, { kind, amounts });
  }

  /** Counts a flow no more. */
  leave(held: Held): void {
    const before = this.#counted.get(held);
    if (before === undefined) return;
    this.#remove(held, before.kind);
    this.#add(held, before.amounts, undefined);
    this.#counted.delete(held);
    if (this.#ofAskers.get(held.asker)?.amounts.flows === 0) this.#ofAskers.delete(held.asker);
  }

  /** The flow to give up so that this asker, and all, have less than is too much; undefined while they have not. */
  victim(asker: IpAddress, perAsker: Amounts, inAll: Amounts): Held | undefined {
    for (const measure of measures) {
      const own = this.#ofAskers.get(asker);
      if (own !== undefined && own.amounts[measure] > perAsker[measure]) return oldest(own, measure);
      if (this.#all.amounts[measure] > inAll[measure]) return oldest(this.#largest(measure), measure);
    }
    return undefined;
  }

  #largest(measure: Measure): Share<Held> {
    let largest = new Share<Held>();
    for (const share of this.#ofAskers.values()) {
      if (share.amounts[measure] > largest.amounts[measure]) largest = share;
    }
    return largest;
  }

  #sharesOf({ asker }: Held): readonly Share<Held>[] {
    const own = this.#ofAskers.get(asker) ?? new Share<Held>();
    this.#ofAskers.set(asker, own);
    return [this.#all, own];
  }

  #remove(held: Held, kind: FlowKind): void {
    for (const share of this.#sharesOf(held)) share.byKind[kind].delete(held);
  }

  #add(held: Held, before: Amounts | undefined, after: Amounts | undefined): void {
    for (const { amounts } of this.#sharesOf(held)) {
      for (const measure of measures) amounts[measure] += (after?.[measure] ?? 0) - (before?.[measure] ?? 0);
    }
  }
}

function oldest<Held extends Holder>({ byKind }: Share<Held>, measure: Measure): Held | undefined {
  for (const kind of victims[measure]) {
    const [first] = byKind[kind];
    if (first !== undefined) return first;
  }
  return undefined;
}
