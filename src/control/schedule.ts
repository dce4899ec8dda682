// Runs one piece of work at a time, and once more when it was asked for in the meantime: a burst of events costs
// two runs, and nobody's request is lost.

import { type OnFailure, tellFailure } from "../core/contain.ts";

export interface Schedule {
  /**
   * Resolves when a run that began after this call has ended. Never rejects.
   * @param urgent without the rest before it
   */
  request(urgent?: boolean): Promise<void>;
  /** Resolves when nothing runs, or waits to. */
  idle(): Promise<void>;
}

/** @param rest what comes between a run and one that was asked for meanwhile */
export function createSchedule(
  work: () => Promise<void>,
  onFailure: OnFailure,
  rest: () => Promise<void> = async () => undefined,
): Schedule {
  let running: Promise<void> | undefined;
  /** The one after it, from when it is asked for until it begins. */
  let next: Promise<void> | undefined;
  let isUrgent = false;
  let wake = (): void => undefined;

  async function contained(part: () => Promise<void>): Promise<void> {
    try {
      await part();
    } catch (error) {
      tellFailure(error, onFailure);
    }
  }

  function start(): Promise<void> {
    next = undefined;
    isUrgent = false;
    running = contained(work).finally(() => {
      running = undefined;
    });
    return running;
  }

  async function restUnlessUrgent(): Promise<void> {
    if (isUrgent) return;
    const woken = Promise.withResolvers<void>();
    wake = woken.resolve;
    await Promise.race([contained(rest), woken.promise]);
  }

  return {
    request(urgent = false) {
      if (running === undefined && next === undefined) return start();
      next ??= Promise.resolve(running).then(restUnlessUrgent).then(start);
      if (urgent) {
        isUrgent = true;
        wake();
      }
      return next;
    },
    idle: async () => {
      for (let last = next ?? running; last !== undefined; last = next ?? running) await last;
    },
  };
}
