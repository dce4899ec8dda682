// Requests that many make and that cost much to serve: a reading of the engine.

/**
 * Runs the work at once, and then for all calls within `everyMs` together once more: what a call asks for always begins
 * after it.
 */
export function createTrailing(everyMs: number, work: () => void): () => void {
  let ranAtMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const run = (): void => {
    timer = undefined;
    ranAtMs = performance.now();
    work();
  };
  return () => {
    if (timer !== undefined) return;
    const leftMs = ranAtMs + everyMs - performance.now();
    if (leftMs <= 0) run();
    else timer = setTimeout(run, leftMs);
  };
}
