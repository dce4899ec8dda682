// Ranges that packets come from, and what is open to each: where ranges overlap, by the narrowest, as in a kernel set.

import type { IpAddress, Prefix } from "../../model/address.ts";
import { PrefixTable } from "../../model/prefix-table.ts";
import type { EntryList } from "../../policy/entry-list.ts";

export interface Range {
  readonly prefix: Prefix;
  /** Whose it is. */
  readonly name: string;
  /** Undefined: nothing is open from there. */
  readonly lists: readonly EntryList[] | undefined;
}

export class SourceRanges {
  readonly #openedBy: (lists: readonly EntryList[]) => ReadonlySet<string>;
  readonly #table = new PrefixTable<Range>();
  readonly #all: Range[] = [];
  /** By lists: a network has the same ones in each of its subnets. */
  readonly #opened = new Map<readonly EntryList[], ReadonlySet<string>>();

  /** @param openedBy the rights that all of these lists together open */
  constructor(openedBy: (lists: readonly EntryList[]) => ReadonlySet<string>) {
    this.#openedBy = openedBy;
  }

  add(range: Range): void {
    this.#table.add(range.prefix, range);
    this.#all.push(range);
  }

  /** One for each prefix, in the order in which they were added. */
  all(): readonly Range[] {
    return this.#all.filter((range) => this.of(range.prefix)[0] === range);
  }

  /** Those with this very prefix. */
  of(prefix: Prefix): readonly Range[] {
    return this.#table.match(prefix.address).filter((range) => range.prefix.length === prefix.length);
  }

  /** The narrowest ones that an address lies in. */
  at(address: IpAddress): readonly Range[] {
    return this.#table.longest(address);
  }

  /** The narrowest ones that are wider than this prefix, and include it. */
  around({ address, length }: Prefix): readonly Range[] {
    const wider = this.#table.match(address).filter(({ prefix }) => prefix.length < length);
    const longest = Math.max(...wider.map(({ prefix }) => prefix.length));
    return wider.filter(({ prefix }) => prefix.length === longest);
  }

  /** What is open from ranges with one prefix: what is open from each of them. @param beside further lists in force */
  openTo(ranges: readonly Range[], beside: readonly EntryList[] = []): ReadonlySet<string> {
    if (ranges.length === 0) return this.#rightsOf(beside);
    const [first = nothing, ...others] = ranges.map(({ lists }) => {
      if (lists === undefined) return nothing;
      return beside.length === 0 ? this.#rightsOf(lists) : this.#openedBy([...lists, ...beside]);
    });
    if (others.length === 0) return first;
    return new Set([...first].filter((right) => others.every((other) => other.has(right))));
  }

  #rightsOf(lists: readonly EntryList[]): ReadonlySet<string> {
    const rights = this.#opened.get(lists) ?? this.#openedBy(lists);
    this.#opened.set(lists, rights);
    return rights;
  }
}

const nothing: ReadonlySet<string> = new Set();
