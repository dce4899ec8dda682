// Which denied connections are forgotten so that no one fills the kernel's set: every network has its share, and every
// asker has its share in it, so that an asker that tries a lot takes nothing from one that tries little.

import type { DeniedEntry } from "./denied-record.ts";

/** With the time at which it was last tried, milliseconds. */
interface Dated extends Pick<DeniedEntry, "asker" | "packets"> {
  readonly lastSeenMs: number;
}

export interface DeniedLimits {
  readonly perAsker: number;
  readonly perNetwork: number;
  readonly inAll: number;
}

/**
 * The entries to forget, least recently tried first for each asker. An address may have been on several networks in its
 * time; the share of any of them will do: that of its last entry.
 */
export function planTrim<Entry extends Dated>(
  entries: readonly Entry[],
  networkOf: (entry: Entry) => string,
  { perAsker, perNetwork, inAll }: DeniedLimits,
): Entry[] {
  const byAsker = [...Map.groupBy(entries, ({ asker }) => asker).values()];
  const ofNetworks = Map.groupBy(byAsker, (own) => {
    const last = own.at(-1);
    return last && networkOf(last);
  });
  const byNetwork = [...ofNetworks.values()];
  const sums = byNetwork.map((askers) =>
    askers.reduce((sum, own) => sum + Math.min(own.length, perAsker), 0),
  );
  const network = Math.min(perNetwork, waterLine(sums, inAll));
  return byNetwork.flatMap((askers) => {
    const line = Math.min(
      perAsker,
      waterLine(
        askers.map((own) => own.length),
        network,
      ),
    );
    return askers.flatMap((own) => oldest(own, own.length - line));
  });
}

/** The most that each may have so that all together have no more than `total`, when those with less keep theirs. */
export function waterLine(counts: readonly number[], total: number): number {
  let left = total;
  const rising = counts.toSorted((a, b) => a - b);
  for (const [index, count] of rising.entries()) {
    const share = Math.floor(left / (rising.length - index));
    if (count > share) return share;
    left -= count;
  }
  return Number.POSITIVE_INFINITY;
}

function oldest<Entry extends Dated>(entries: readonly Entry[], count: number): readonly Entry[] {
  if (count <= 0) return [];
  return entries.toSorted((a, b) => a.lastSeenMs - b.lastSeenMs || a.packets - b.packets).slice(0, count);
}
