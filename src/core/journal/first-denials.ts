// Which denied lookups are worth a line in the log: the first of each name by each container. A container can ask for
// new names at will, so lines are bounded, and what is beyond is counted.

import type { IpAddress } from "../model/address.ts";
import type { LookupEvent } from "./lookup-event.ts";

export interface DeniedName {
  readonly networkId: string;
  readonly asker: IpAddress;
  readonly domain: string;
}

export interface DenialNews {
  /** Each for the first time. */
  readonly first: readonly DeniedName[];
  /** Denials of earlier minutes that were beyond the bounds. */
  readonly beyond: number;
}

const minuteMs = 60_000;
/** Lines a minute, of one container and of all. */
const ofOne = 5;
const ofAll = 30;
/** Names that are remembered; the oldest are forgotten, and would be told again. */
const mostRemembered = 10_000;

/** @returns what is news in a batch of lookups */
export type FirstDenials = (
  events: readonly LookupEvent[],
  /** Who has the address: a container that is started anew is the same. */
  holderOf: (asker: IpAddress) => string,
  nowMs: number,
) => DenialNews;

export function createFirstDenials(): FirstDenials {
  const known = new Set<string>();
  let minute = Number.NEGATIVE_INFINITY;
  let told = new Map<string, number>();
  let toldOfAll = 0;
  let beyond = 0;

  function remember(key: string): void {
    known.add(key);
    if (known.size <= mostRemembered) return;
    for (const oldest of known) {
      known.delete(oldest);
      return;
    }
  }

  /** Whether a line may be written about this holder. */
  function mayTell(holder: string): boolean {
    const count = told.get(holder) ?? 0;
    if (count >= ofOne || toldOfAll >= ofAll) return false;
    told.set(holder, count + 1);
    toldOfAll += 1;
    return true;
  }

  return (events, holderOf, nowMs) => {
    let over = 0;
    if (Math.floor(nowMs / minuteMs) !== minute) {
      minute = Math.floor(nowMs / minuteMs);
      told = new Map();
      toldOfAll = 0;
      [over, beyond] = [beyond, 0];
    }
    const first = events.filter(({ networkId, asker, domain, allowed, trouble }) => {
      if (allowed || trouble !== undefined) return false;
      const holder = holderOf(asker);
      const key = `${networkId} ${holder} ${domain}`;
      if (known.has(key)) return false;
      // What is beyond is not remembered: a flood must not push the names of others out.
      if (mayTell(holder)) {
        remember(key);
        return true;
      }
      beyond += 1;
      return false;
    });
    return { first, beyond: over };
  };
}
