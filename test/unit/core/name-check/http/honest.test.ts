// What clients send passes, and is read for what it is.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { honest } from "../../../../support/http/honest.ts";
import { walk } from "../../../../support/http/walk.ts";

const read = (text: string) => walk([Buffer.from(text, "latin1")]);

describe("honest requests", () => {
  for (const { client, text, asks, upgrade = "none" } of honest) {
    it(client, () => {
      const { requests, refusal, waiting } = read(text);
      assert.deepEqual([refusal, waiting], [undefined, 0]);
      assert.deepEqual(
        requests.map(({ host, bodyBytes }) => [host, bodyBytes]),
        asks,
      );
      assert.equal(requests.at(-1)?.upgrade, upgrade);
    });
  }

  it("all of them in one connection, as each is ended to the byte", () => {
    const kept = honest.filter(({ upgrade }) => upgrade !== "websocket");
    const { requests, refusal } = read(kept.map(({ text }) => text).join(""));
    assert.equal(refusal, undefined);
    assert.deepEqual(
      requests.map(({ host, bodyBytes }) => [host, bodyBytes]),
      kept.flatMap(({ asks }) => asks),
    );
  });
});
