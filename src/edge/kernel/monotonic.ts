// One clock for both threads: performance.now() counts from each thread's own start. Grants end by it, as they do in the
// kernel: setting the host's clock must neither prolong nor end anything.

/** Milliseconds that only go forward, the same on every thread of the process. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A moment by monotonicMs() in wall-clock time: whole milliseconds since the epoch, by the host's clock as it is now. */
export function epochMs(uptimeMs: number): number {
  return Math.round(Date.now() - monotonicMs() + uptimeMs);
}
