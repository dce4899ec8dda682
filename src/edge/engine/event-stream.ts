// The engine's events, followed for as long as it is wanted: a stream that breaks is opened again.

import { setTimeout as sleep } from "node:timers/promises";
import type { EngineEvent } from "./api/events.ts";
import type { Engine } from "./engine.ts";

export interface EventStreamOptions {
  readonly engine: Engine;
  readonly onEvent: (event: EngineEvent) => void;
  /** Called when the stream is open for the first time: nothing that happens from here on is missed. */
  readonly onFirst: () => void;
  /** Called when it opens again after it broke: the engine may have restarted. */
  readonly onReconnect: () => void;
  /** Called when it has broken, and with every attempt that fails: the engine may be gone. */
  readonly onLost: () => void;
  readonly onProblem: (problem: unknown) => void;
  /** Pause between attempts to reach an engine that is away, milliseconds. */
  readonly retryMs: number;
  readonly signal: AbortSignal;
}

/** Follows until the signal. @throws when the engine cannot be reached the first time */
export async function followEvents(options: EventStreamOptions): Promise<void> {
  const { engine, onEvent, onFirst, onReconnect, onLost, onProblem, retryMs, signal } = options;
  let opened = 0;
  while (!signal.aborted) {
    try {
      await engine.followEvents(
        () => {
          opened += 1;
          if (opened === 1) onFirst();
          else onReconnect();
        },
        onEvent,
        signal,
      );
    } catch (error) {
      if (opened === 0) throw error;
      onProblem(error);
    }
    if (!signal.aborted) onLost();
    await pause(retryMs, signal);
  }
}

/** Ends early, without an error, with the signal. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
