// Runs one piece of work at a time, and once more when it was asked for in the meantime: a burst of events costs
// two runs, and nobody's request is lost.

export interface Schedule {
  /** Resolves when a run that began after this call has ended. Never rejects. */
  request(): Promise<void>;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
}

/** @param rest what comes between a run and one that was asked for meanwhile */
export function createSchedule(
  work: () => Promise<void>,
  onError: (error: unknown) => void,
  rest: () => Promise<void> = async () => undefined,
): Schedule {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  async function run(): Promise<void> {
    try {
      await work();
    } catch (error) {
      onError(error);
    }
  }

  function start(): Promise<void> {
    next = undefined;
    running = run().finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    request() {
      if (running === undefined) return start();
      next ??= running.then(rest).then(start);
      return next;
    },
    idle: async () => {
      while (running !== undefined) await running;
    },
  };
}
