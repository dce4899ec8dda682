// What the control plane hears of us: what happened, in batches, and what went wrong, so many sentences a second.

import { contained, type OnFailure } from "../../core/contain.ts";
import type { FreshAddress } from "../../core/journal/holders.ts";
import type { LookupEvent, LookupKind } from "../../core/journal/lookup-event.ts";
import { messageOf } from "../../errors.ts";
import type { FromDataPlane } from "../../planes/messages.ts";

export interface Telling {
  readonly tell: (message: FromDataPlane) => void;
  /** One sentence. */
  readonly problem: (problem: string) => void;
  /** The same of what failed. */
  readonly failure: OnFailure;
  /** A lookup is over; the next batch reports it. */
  readonly lookup: (event: LookupEvent) => void;
  /** One like an earlier one is over. @param kind the same object for all that are alike */
  readonly repeatedLookup: (kind: LookupKind, atMs: number) => void;
  /** Tells of the lookups that are over by now, and of the problems that were spared. Called every now and then. */
  readonly flush: () => void;
  /** A new container has got an address; one message for all of one turn of the event loop. */
  readonly freshAddress: (fresh: FreshAddress) => void;
}

/** Containers can cause problems at will; the log gets so many a second, and how many it was spared. */
const problemsPerSecond = 5;

export function createTelling(tell: (message: FromDataPlane) => void): Telling {
  let lookups: LookupEvent[] = [];
  let repeated = new Map<LookupKind, { times: number; atMs: number }>();
  let freshAddresses: FreshAddress[] = [];
  const { problem, tellSpared } = limitProblems((text) => tell({ kind: "problem", problem: text }));
  const failure = (error: unknown): void => problem(messageOf(error));
  const tellFresh = contained(() => {
    if (freshAddresses.length === 0) return;
    const addresses = freshAddresses;
    freshAddresses = [];
    tell({ kind: "fresh-addresses", addresses });
  }, failure);
  /** Lookups before an address passed on are reported before that, and those after it afterwards. */
  function flush(): void {
    tellFresh();
    tellSpared();
    if (lookups.length + repeated.size === 0) return;
    const repeats = [...repeated].map(([kind, counted]) => ({ ...kind, ...counted }));
    tell({ kind: "lookups", events: [...lookups, ...repeats] });
    lookups = [];
    repeated = new Map();
  }
  return {
    tell,
    problem,
    failure,
    lookup: (event) => void lookups.push(event),
    repeatedLookup(kind, atMs) {
      const counted = repeated.get(kind);
      repeated.set(kind, { times: (counted?.times ?? 0) + 1, atMs });
    },
    flush,
    freshAddress(fresh) {
      if (lookups.length + repeated.size > 0) flush();
      if (freshAddresses.push(fresh) === 1) setImmediate(tellFresh);
    },
  };
}

interface LimitedProblems {
  readonly problem: (problem: string) => void;
  /** Tells how many were spared, once their second is over. */
  readonly tellSpared: () => void;
}

function limitProblems(tell: (problem: string) => void): LimitedProblems {
  let second = 0;
  let count = 0;
  function tellSpared(): void {
    const now = Math.floor(performance.now() / 1000);
    if (now === second) return;
    const spared = count - problemsPerSecond;
    second = now;
    count = 0;
    if (spared > 0) tell(`${spared} more problems within one second`);
  }
  return {
    problem(problem) {
      tellSpared();
      count += 1;
      if (count <= problemsPerSecond) tell(problem);
    },
    tellSpared,
  };
}
