// A container whose reading hangs: it is told of, holds up nobody, and is read anew once its reading is given up.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container } from "../../../../src/core/model/topology.ts";
import {
  type ContainerReading,
  createContainerReader,
} from "../../../../src/edge/engine/container-reader.ts";

/** Everything that was settled by now has its consequences. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a reading that hangs is given up after 60 s, and made anew when it is asked for", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(AbortSignal, "timeout", (ms: number) => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error(`no answer within ${ms} ms`)), ms);
    return abort.signal;
  });
  const web = { id: "web" } as Container;
  const signals: AbortSignal[] = [];
  const read: ContainerReading[] = [];
  let told = 0;
  const reader = createContainerReader({
    inspect(_id, signal) {
      signals.push(signal);
      if (signals.length > 1) return Promise.resolve(web);
      const { promise, reject } = Promise.withResolvers<Container>();
      signal.addEventListener("abort", () => reject(signal.reason));
      return promise;
    },
    nowMs: () => 0,
    stampOf: () => undefined,
    onRead: (reading) => read.push(reading),
    onUnread: () => told++,
    onFailure: (error) => assert.fail(String(error)),
    slowAfterMs: 5_000,
  });
  const slow = reader.read("web");
  await settle();
  assert.equal(reader.isReading(), true);
  t.mock.timers.tick(5_000);
  await slow;
  assert.match(reader.unread().get("web") ?? "", /not answered within 5 s/);
  assert.equal(reader.isReading(), false);

  t.mock.timers.tick(54_999);
  await settle();
  assert.equal(signals[0]?.aborted, false);
  t.mock.timers.tick(1);
  await settle();
  assert.equal(signals[0]?.aborted, true);
  assert.match(reader.unread().get("web") ?? "", /no answer within 60000 ms/);
  assert.deepEqual(read, []);

  await reader.read("web");
  assert.deepEqual([signals.length, read.map(({ container }) => container)], [2, [web]]);
  assert.deepEqual([...reader.unread()], []);
  assert.equal(told, 3);
  reader.stop();
});
