// Work that is done again and again. A round that fails is told, and the next one comes all the same: what a timer
// throws would end the daemon.

import { contain } from "../core/contain.ts";

export interface RepeatedWork {
  readonly everyMs: number;
  /** Rounds of work that takes longer than that overlap, unless the work itself sees to it. */
  readonly work: () => unknown;
  readonly onFailure: (error: unknown) => void;
  /** Called after each round that did not fail. */
  readonly onSuccess?: () => void;
}

/** Starts with the first round after `everyMs`; disposing it ends it. */
export function every({ everyMs, work, onFailure, onSuccess }: RepeatedWork): Disposable {
  const round = async (): Promise<void> => {
    await work();
    onSuccess?.();
  };
  const timer = setInterval(() => contain(round, onFailure), everyMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
