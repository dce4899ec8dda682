// Work of many clients on one thread, in turns of the event loop: each owner gets a few pieces done in each, whatever
// he has waiting, and then whoever else the loop has something for.

export interface Turns {
  /** The work is done in a later phase of the loop; what is entered again while it waits is done once. */
  enter(owner: string, work: () => void): void;
}

/** @param perOwner pieces of one owner's work in one turn */
export function createTurns(perOwner: number): Turns {
  /** First come, first served; who has done a piece and has another stands last. */
  const waiting = new Map<string, Set<() => void>>();
  let due = false;

  function takeTurn(): void {
    due = false;
    for (const [owner, works] of [...waiting]) {
      let left = perOwner;
      // What is entered again meanwhile stands last, and is come to when there is room for it.
      for (const work of works) {
        if (left-- === 0) break;
        works.delete(work);
        work();
      }
      if (works.size === 0) waiting.delete(owner);
    }
    schedule();
  }

  function schedule(): void {
    if (due || waiting.size === 0) return;
    due = true;
    setImmediate(takeTurn);
  }

  return {
    enter(owner, work) {
      const works = waiting.get(owner) ?? new Set();
      waiting.set(owner, works.add(work));
      schedule();
    },
  };
}
