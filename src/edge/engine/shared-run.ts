// Work that many ask for, and that is true of the time at which it began.

/**
 * Overlapping calls share one run that began after the last of them but one. A run that fails is followed by the next
 * all the same.
 */
export function shareRuns<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let current: Promise<Result> | undefined;
  let next: Promise<Result> | undefined;

  function begin(): Promise<Result> {
    next = undefined;
    current = work().finally(() => {
      current = undefined;
    });
    return current;
  }

  return () => {
    if (next !== undefined) return next;
    if (current === undefined) return begin();
    next = current.then(begin, begin);
    return next;
  };
}
