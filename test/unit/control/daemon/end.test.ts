// The end of a daemon may come before anything awaits it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createEnd } from "../../../../src/control/daemon/end.ts";

describe("the end of a daemon", () => {
  it("waits, as a failure, until it is awaited", async () => {
    const end = createEnd();
    end.assertNotFailed();
    end.fail(new Error("the data plane is gone"));
    // An unhandled rejection would fail this test here.
    await turn();
    assert.throws(end.assertNotFailed, /the data plane is gone/);
    end.ask();
    await assert.rejects(end.reached(), /the data plane is gone/);
  });

  it("is a stop when that was asked for first", async () => {
    const end = createEnd();
    end.ask();
    end.fail(new Error("the data plane is gone"));
    end.assertNotFailed();
    await end.reached();
  });
});
