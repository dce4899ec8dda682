// The data plane's thread as the control plane sees it: ready, dead or ended, and what becomes of requests then.

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { beforeEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ToDataPlane } from "../../../src/planes/messages.ts";
import { DataPlaneThread } from "../../../src/planes/thread.ts";

class FakeThread extends EventEmitter {
  readonly posted: ToDataPlane[] = [];
  postMessage(message: ToDataPlane): void {
    this.posted.push(message);
  }
}

let fake: FakeThread;
let told: string[];
let thread: DataPlaneThread;

beforeEach(() => {
  fake = new FakeThread();
  told = [];
  thread = new DataPlaneThread(fake, {
    onReport: ({ kind }) => {
      told.push(kind);
      if (kind === "refresh") throw new Error("no");
    },
    onProblem: (problem) => told.push(problem),
    onDeath: ({ message }) => told.push(`dead: ${message}`),
  });
});

const flush = (): Promise<void> => thread.requests.ask("flush", []);

describe("a thread that starts", () => {
  it("is ready when it says so", async () => {
    fake.emit("message", { kind: "ready" });
    await thread.ready();
    assert.deepEqual(told, []);
  });

  it("has its failure thrown once it has ended", async () => {
    fake.emit("message", { kind: "failed", code: "PORT_TAKEN", message: "the port is taken" });
    const ready = assert.rejects(thread.ready(), /the port is taken/);
    assert.deepEqual(fake.posted, [{ kind: "end" }]);
    fake.emit("exit", 0);
    await ready;
    assert.deepEqual(told, []);
  });

  it("has its early exit thrown", async () => {
    fake.emit("exit", 3);
    await assert.rejects(thread.ready(), /ended with exit code 3/);
  });
});

describe("a thread that serves", () => {
  beforeEach(() => void fake.emit("message", { kind: "ready" }));

  it("dies once, and fails whatever was asked and is asked from then on", async () => {
    const asked = assert.rejects(flush(), /out of memory/);
    fake.emit("error", new Error("out of memory"));
    fake.emit("exit", 1);
    await asked;
    await assert.rejects(flush(), /out of memory/);
    assert.deepEqual(told, ["dead: out of memory"]);
    await thread.end();
  });

  it("dies when it ends by itself", () => {
    fake.emit("exit", 0);
    assert.deepEqual(told, ["dead: the data plane ended with exit code 0"]);
  });

  it("ends on demand, without a death, and fails what still waits", async () => {
    const asked = assert.rejects(flush(), /late/);
    const both = [thread.end(), thread.end()];
    assert.deepEqual(fake.posted.slice(1), [{ kind: "end" }]);
    fake.emit("error", new Error("late"));
    fake.emit("exit", 0);
    await Promise.all([asked, ...both]);
    assert.deepEqual(told, ["while it ended: late"]);
  });

  it("has each request answered by its number", async () => {
    const [first, second] = [thread.requests.ask("cutOf", ["c"]), flush()];
    const asked = [
      { kind: "request", requestId: 1, name: "cutOf", asked: ["c"] },
      { kind: "request", requestId: 2, name: "flush", asked: [] },
    ];
    assert.deepEqual(fake.posted, asked);
    fake.emit("message", { kind: "refused", requestId: 2, code: "INTERNAL", message: "not that" });
    fake.emit("message", { kind: "answered", requestId: 1, answer: "whole" });
    assert.equal(await first, "whole");
    await assert.rejects(second, /not that/);
  });

  it("leaves nothing waiting of a request that cannot be sent", async () => {
    fake.postMessage = () => assert.fail("no message");
    await assert.rejects(flush(), /no message/);
    // What still waited would be rejected now, with nothing to handle that, and fail this test.
    fake.emit("exit", 1);
    await turn();
  });

  it("goes on after a report that could not be taken", () => {
    fake.emit("message", { kind: "refresh", suspects: [] });
    fake.emit("message", { kind: "lookups", events: [] });
    assert.deepEqual(told, ["refresh", "message refresh: no", "lookups"]);
  });
});
