// Work that is asked for again and again, and done now and then.

import { contained, type OnFailure } from "../../core/contain.ts";

/** Runs at once, and then for all calls within `everyMs` together once more: what is asked for is always begun later. */
export function createThrottle(everyMs: number, work: () => void, onFailure: OnFailure): () => void {
  let ranAtMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const run = contained(() => {
    timer = undefined;
    ranAtMs = performance.now();
    return work();
  }, onFailure);
  return () => {
    if (timer !== undefined) return;
    const leftMs = ranAtMs + everyMs - performance.now();
    if (leftMs <= 0) run();
    else timer = setTimeout(run, leftMs);
  };
}
