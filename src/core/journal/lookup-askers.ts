// The askers of the journal and their bounds, which affect only those who reach them:
//   - an asker keeps its most recent rows; older ones are merged into one count, `(others)`;
//   - when the journal as a whole is full, the network with the most rows gives one up, and in it the asker with the
//     most: no one loses a row to a network or an asker that has more. The same applies to askers: the network with the
//     most of them counts its first one among its others.

import { addRow, addToOthers, noOthers, type Others, othersLabel, type Rows } from "./lookup-rows.ts";

export interface AskerBounds {
  readonly maxRows: number;
  readonly maxRowsPerAsker: number;
  readonly maxAskers: number;
  /** Called with each asker that is forgotten, for whatever reason. */
  readonly onForget: (asker: JournalAsker) => void;
}

/** One life of an address: what one container asked from it. */
export interface JournalAsker {
  readonly share: Share;
  readonly networkId: string;
  /** An address, or `(others)`. */
  readonly address: string;
  container: { readonly id: string; readonly name: string } | undefined;
  readonly rows: Rows;
  readonly others: Others;
}

/** What one network has of the journal. */
interface Share {
  readonly networkId: string;
  /** Those with an address; longest known first. */
  readonly askers: Set<JournalAsker>;
  /** Askers by how many rows they have: who has most is found without looking at all. */
  readonly bySize: Set<JournalAsker>[];
  rowCount: number;
}

export class LookupAskers {
  readonly #bounds: AskerBounds;
  readonly #all = new Set<JournalAsker>();
  readonly #shares = new Map<string, Share>();
  /** Counts what askers without a place ask, by network. */
  readonly #unplaced = new Map<string, JournalAsker>();
  #rowCount = 0;
  #askerCount = 0;

  constructor(bounds: AskerBounds) {
    this.#bounds = bounds;
  }

  /** Also those that only count the others of a network. */
  get all(): ReadonlySet<JournalAsker> {
    return this.#all;
  }

  /** A new asker, or the one that counts the others of its network, where there is no room for one more. */
  add(networkId: string, address: string): JournalAsker {
    const share = this.#shareOf(networkId);
    if (this.#isFullFor(share)) return this.#othersOf(networkId);
    const asker = this.#create(share, address);
    share.askers.add(asker);
    this.#askerCount++;
    return asker;
  }

  /** Does something with the rows of an asker, and keeps the bounds. */
  change(asker: JournalAsker, work: () => void): void {
    const before = asker.rows.size;
    work();
    this.#resize(asker, before);
    while (asker.rows.size > this.#bounds.maxRowsPerAsker) this.#dropOldest(asker);
    while (this.#rowCount > this.#bounds.maxRows) this.#dropOldest(this.#largest(asker));
  }

  /** Moves the rows of one asker to another, and forgets it. */
  merge(from: JournalAsker, into: JournalAsker): void {
    this.change(into, () => {
      for (const row of from.rows.values()) addRow(into.rows, row);
      for (const row of [from.others.allowed, from.others.denied]) addToOthers(into.others, row);
      // They count once, while the bounds are looked at.
      this.clear(from);
    });
    this.forget(from);
  }

  clear(asker: JournalAsker): void {
    const before = asker.rows.size;
    asker.rows.clear();
    this.#resize(asker, before);
  }

  /** An asker without rows. */
  forget(asker: JournalAsker): void {
    const { share, networkId } = asker;
    this.#all.delete(asker);
    if (share.askers.delete(asker)) this.#askerCount--;
    share.bySize[0]?.delete(asker);
    shrink(share.bySize);
    if (share.bySize.length === 0) this.#shares.delete(networkId);
    if (this.#unplaced.get(networkId) === asker) this.#unplaced.delete(networkId);
    this.#bounds.onForget(asker);
  }

  #create(share: Share, address: string): JournalAsker {
    const { networkId } = share;
    const asker: JournalAsker = {
      share,
      networkId,
      address,
      container: undefined,
      rows: new Map(),
      others: noOthers(),
    };
    this.#all.add(asker);
    this.#resize(asker, 0);
    return asker;
  }

  #othersOf(networkId: string): JournalAsker {
    const asker = this.#unplaced.get(networkId) ?? this.#create(this.#shareOf(networkId), othersLabel);
    this.#unplaced.set(networkId, asker);
    return asker;
  }

  #resize(asker: JournalAsker, before: number): void {
    const after = asker.rows.size;
    const { share } = asker;
    const { bySize } = share;
    this.#rowCount += after - before;
    share.rowCount += after - before;
    bySize[before]?.delete(asker);
    while (bySize.length <= after) bySize.push(new Set());
    bySize[after]?.add(asker);
    shrink(bySize);
  }

  #shareOf(networkId: string): Share {
    const share = this.#shares.get(networkId) ?? { networkId, askers: new Set(), bySize: [], rowCount: 0 };
    this.#shares.set(networkId, share);
    return share;
  }

  /** Makes room for one more asker where another network has more of them. */
  #isFullFor(share: Share): boolean {
    if (this.#askerCount < this.#bounds.maxAskers) return false;
    const most = this.#largestShare(share, ({ askers }) => askers.size);
    const [first] = most.askers;
    if (most === share || first === undefined) return true;
    const { others } = this.#othersOf(most.networkId);
    for (const row of [...first.rows.values(), first.others.allowed, first.others.denied])
      addToOthers(others, row);
    this.clear(first);
    this.forget(first);
    return false;
  }

  /** Whichever has most; of equals the one that asks. */
  #largestShare(asking: Share, sizeOf: (share: Share) => number): Share {
    let most = asking;
    for (const share of this.#shares.values()) if (sizeOf(share) > sizeOf(most)) most = share;
    return most;
  }

  #dropOldest(asker: JournalAsker): void {
    const before = asker.rows.size;
    const oldest = asker.rows.entries().next().value;
    if (oldest === undefined) return;
    asker.rows.delete(oldest[0]);
    addToOthers(asker.others, oldest[1]);
    this.#resize(asker, before);
  }

  /** The asker with most rows, of the network that has most; of equals the one who asks. */
  #largest(asking: JournalAsker): JournalAsker {
    const most = this.#largestShare(asking.share, ({ rowCount }) => rowCount).bySize.at(-1);
    if (most === undefined || most.has(asking)) return asking;
    return most.values().next().value ?? asking;
  }
}

/** Nobody has so many any more. */
function shrink(bySize: Set<JournalAsker>[]): void {
  while (bySize.length > 0 && bySize.at(-1)?.size === 0) bySize.pop();
}
