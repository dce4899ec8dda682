// One clock for both threads: performance.now() counts from each thread's own beginning. What is granted ends by it, as it
// does in the kernel: who sets the clock of the host must neither prolong nor end anything.

/** Milliseconds that only go forward, the same on every thread of the process. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A moment by monotonicMs() in the time that people have, whole milliseconds since the epoch, as their clock stands now. */
export function epochMs(uptimeMs: number): number {
  return Math.round(Date.now() - monotonicMs() + uptimeMs);
}
