// What decides: the lists of one asker on one network, and the entries of them that match.

import { type IpAddress, type Prefix, prefixContains } from "../../model/address.ts";
import type { Service } from "../../model/service.ts";
import type { Entry } from "../entry.ts";
import type { CompiledList } from "../entry-list.ts";

/** What one asker may reach through one network. */
export interface Policy {
  /** Name of the network, for refusals. */
  readonly network: string;
  readonly lists: readonly CompiledList[];
  /** True where no list counts, as the asker is in quarantine. */
  readonly isQuarantined?: boolean;
}

/** Whether a list that could not be read closes everything. */
export function isClosed({ lists }: Policy): boolean {
  return lists.some(({ closes }) => closes === true);
}

/** The entry that decided, and its place. */
export interface MatchedEntry {
  readonly entry: Entry;
  readonly source: string;
  /** When its list ends, by the clock that decisions are made by, milliseconds; undefined for never. */
  readonly endsAtMs: number | undefined;
}

/** The service that an entry grants or takes away. */
export function serviceOf({ entry }: Pick<MatchedEntry, "entry">): Service {
  if (entry.kind !== "host") return entry.service;
  return { protocol: entry.protocol, ports: { from: entry.from, to: entry.to } };
}

export function withinOf({ entry }: MatchedEntry): Prefix | undefined {
  return entry.kind === "domain" ? entry.within : undefined;
}

/** Whether the name that an entry allows may lead to this address, as far as the entry says. */
export function mayLeadTo(match: MatchedEntry, address: IpAddress): boolean {
  const within = withinOf(match);
  return within === undefined || prefixContains(within, address);
}
