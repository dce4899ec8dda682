// Work on things that calls for work on others, or on itself: each is done after those that are under way, never within
// them. They would go on by what was so before. The work has two halves, and the second is done for many at once.

export interface BatchOptions<T, Begun> {
  /** The first half of the work on one; throws nothing. @returns undefined when there is no second half */
  readonly begin: (thing: T) => Begun | undefined;
  /** The second half, for all that were begun since; throws nothing. */
  readonly finish: (begun: readonly Begun[]) => void;
  /** How many are finished together. */
  readonly most: number;
}

/**
 * What is called for ends the batch: those begun are finished, then it is done, and only then do the others begin.
 * @returns the work on some, done on return unless other work is under way
 */
export function inBatches<T, Begun>({
  begin,
  finish,
  most,
}: BatchOptions<T, Begun>): (things: readonly T[]) => void {
  const due = new Set<T>();
  let isUnderWay = false;

  function end(begun: readonly Begun[]): void {
    if (begun.length > 0) finish(begun);
    for (const next of due) {
      // It may be due again meanwhile.
      due.delete(next);
      const its = begin(next);
      if (its !== undefined) finish([its]);
    }
  }

  function work(things: readonly T[]): void {
    let begun: Begun[] = [];
    for (const thing of things) {
      const its = begin(thing);
      if (its !== undefined) begun.push(its);
      if (begun.length < most && due.size === 0) continue;
      end(begun);
      begun = [];
    }
    end(begun);
  }

  return (things) => {
    if (isUnderWay) {
      for (const thing of things) due.add(thing);
      return;
    }
    isUnderWay = true;
    try {
      work(things);
    } finally {
      isUnderWay = false;
    }
  };
}
