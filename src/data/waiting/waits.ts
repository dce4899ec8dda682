// Lookups that cannot be decided yet: each is retried when more is known, or when its time is over. The places are
// bounded per asker and in total, so that an asker with many lookups under way takes no one else's places.

import { contain, type OnFailure } from "../../core/contain.ts";

export interface Waits {
  /** True when `again` will be called, once: with the next `wake`, or `withinMs` from now. False without a place. */
  wait(asker: string, withinMs: number, again: () => void): boolean;
  /** More is known. */
  wake(): void;
}

/** More than a container needs while it starts. */
const maxPerAsker = 128;
const maxInAll = 8_192;

/** @param onFailure told of an `again` that fails: it keeps no other from being called */
export function createWaits(onFailure: OnFailure): Waits {
  const waiting = new Set<() => void>();
  const perAsker = new Map<string, number>();

  function leave(asker: string): void {
    const left = (perAsker.get(asker) ?? 1) - 1;
    if (left === 0) perAsker.delete(asker);
    else perAsker.set(asker, left);
  }

  return {
    wait(asker, withinMs, again) {
      const mine = perAsker.get(asker) ?? 0;
      if (mine >= maxPerAsker || waiting.size >= maxInAll) return false;
      perAsker.set(asker, mine + 1);
      const attempt = (): void => {
        clearTimeout(timer);
        waiting.delete(attempt);
        leave(asker);
        contain(again, onFailure);
      };
      const timer = setTimeout(attempt, withinMs);
      waiting.add(attempt);
      return true;
    },
    wake() {
      for (const attempt of [...waiting]) attempt();
    },
  };
}
