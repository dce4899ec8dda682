// Once, after a while.

/** Calls `work` once, after so many milliseconds; what it throws is the process's. @returns how to call it off */
export function after(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
}
