// Lists of which something cannot be read. What is denied beside one may be what it was meant to allow, and no other
// entry at its place counts until it is corrected.

import type { EntryList } from "../entry-list.ts";
import { overrideAt } from "../override/place.ts";

export interface UnreadList {
  /** Where it stands. */
  readonly source: string;
  /** The place of the slip, and what is wrong there. */
  readonly problem: string;
  /** Whether nothing is allowed for it. */
  readonly closes: boolean;
}

/**
 * The one to correct first, of these lists: the one that closes everything, or where an entry stands that decides.
 * @param deciding the place of that entry
 */
export function unreadOf(
  lists: readonly Pick<EntryList, "source" | "unread" | "closes">[],
  deciding?: string,
): UnreadList | undefined {
  const unread = lists.flatMap(({ source, unread: problem, closes = false }) =>
    problem === undefined ? [] : [{ source, problem, closes }],
  );
  return (
    unread.find(({ closes }) => closes) ??
    unread.find(({ source }) => source === deciding) ??
    // An override is made by itself: it holds up no other entry.
    unread.find(({ source }) => overrideAt(source) === undefined)
  );
}
