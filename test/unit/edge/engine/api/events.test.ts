import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEvent } from "../../../../../src/edge/engine/api/events.ts";

test("an event of a container, with every label; one of a network names the container in it", () => {
  const started = {
    Type: "container",
    Action: "start",
    Actor: { ID: "c1", Attributes: { name: "web", x: "1" } },
  };
  assert.deepEqual(parseEvent(JSON.stringify(started)), {
    type: "container",
    action: "start",
    id: "c1",
    container: undefined,
    attributes: { name: "web", x: "1" },
  });
  const joined = { Type: "network", Action: "connect", Actor: { ID: "n1", Attributes: { container: "c1" } } };
  // As RFC 7464 has it.
  assert.equal(parseEvent(`\x1e${JSON.stringify(joined)}`)?.container, "c1");
});

const others = ["", "\x1e ", "null", "7", "{}", '{"Type":"network","Action":"connect","Actor":{"ID":7}}'];
for (const line of others) {
  test(`no event: ${JSON.stringify(line)}`, () => assert.equal(parseEvent(line), undefined));
}

test("what is no JSON breaks the stream", () => {
  assert.throws(() => parseEvent("<html>"), SyntaxError);
});
