// Work on things that calls for work on others, or on itself: each is done after the one that is under way, never within it.
// The outer one would go on by what was so before the inner one.

export interface OneByOneOptions<T> {
  readonly work: (thing: T) => void;
  /** The same for one whose turn has come, with whatever it throws contained. */
  readonly workLater: (thing: T) => void;
}

/** @returns the work on one; it throws what that throws, once all that it has called for is done */
export function oneByOne<T>({ work, workLater }: OneByOneOptions<T>): (thing: T) => void {
  const due = new Set<T>();
  let isUnderWay = false;
  return (thing) => {
    if (isUnderWay) {
      due.add(thing);
      return;
    }
    isUnderWay = true;
    try {
      work(thing);
    } finally {
      for (const next of due) {
        // It may be due again meanwhile.
        due.delete(next);
        workLater(next);
      }
      isUnderWay = false;
    }
  };
}
