// One clock for both threads: performance.now() counts from each thread's own start.

/** Milliseconds that only go forward, the same on every thread of the process. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
