// Work by timers, in either plane. What fails is reported, and the next round of repeated work comes all the same: an
// error thrown in a timer would end the daemon.

import { contain, contained, type OnFailure } from "../../core/contain.ts";

export interface RepeatedWork {
  readonly everyMs: number;
  /** Rounds overlap if the work takes longer than this, unless the work itself prevents it. */
  readonly work: () => unknown;
  readonly onFailure: OnFailure;
  /** Called after each successful round. */
  readonly onSuccess?: () => void;
  /** False where a process may end that has nothing else to do. */
  readonly keepsAlive?: boolean;
}

/** The first round comes after `everyMs`; disposing ends the work. */
export function every({ everyMs, work, onFailure, onSuccess, keepsAlive = true }: RepeatedWork): Disposable {
  const round = async (): Promise<void> => {
    await work();
    onSuccess?.();
  };
  const timer = setInterval(() => contain(round, onFailure), everyMs);
  if (!keepsAlive) timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Does the work once, after so many milliseconds. @returns how to call it off */
export function after(ms: number, work: () => unknown, onFailure: OnFailure): () => void {
  const timer = setTimeout(contained(work, onFailure), ms);
  return () => clearTimeout(timer);
}
