// An engine that is away is tried again and again, for days if need be.

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import type { Engine } from "../../../../src/edge/engine/engine.ts";
import { followEvents } from "../../../../src/edge/engine/event-stream.ts";

interface Attempts {
  readonly engine: Engine;
  /** Resolves with the attempt of this number. */
  reached(number: number): Promise<void>;
}

/** Answers the first time, and is away from then on. */
function awayEngine(): Attempts {
  let attempts = 0;
  let [wanted, reach] = [0, (): void => undefined];
  const engine: Pick<Engine, "followEvents"> = {
    async followEvents(onOpen) {
      attempts += 1;
      if (attempts === wanted) reach();
      if (attempts > 1) throw new Error("away");
      onOpen();
    },
  };
  return {
    engine: engine as Engine,
    reached(number) {
      const { promise, resolve } = Promise.withResolvers<void>();
      [wanted, reach] = [number, resolve];
      return promise;
    },
  };
}

const ignored = { onEvent() {}, onFirst() {}, onReconnect() {}, onLost() {}, onProblem() {} };

test("an attempt to reach the engine leaves nothing behind", async (t) => {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const { engine, reached } = awayEngine();
  const twentieth = reached(20);
  const followed = followEvents({ engine, ...ignored, retryMs: 1, signal: stop.signal });
  await twentieth;
  assert.ok(getEventListeners(stop.signal, "abort").length <= 1);
  stop.abort();
  await followed;
  assert.deepEqual(getEventListeners(stop.signal, "abort"), []);
});

test("the wait for an engine that is away ends with the daemon", async () => {
  const stop = new AbortController();
  const { engine } = awayEngine();
  const lost = Promise.withResolvers<void>();
  const followed = followEvents({
    ...{ engine, ...ignored, retryMs: 3_600_000, signal: stop.signal },
    onLost: lost.resolve,
  });
  await lost.promise;
  stop.abort();
  await followed;
});
