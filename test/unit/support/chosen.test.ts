import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { chosen } from "../../support/chosen.ts";

const variable = "DOCKERWALL_TEST_OF_CHOSEN";
const engines = ["e20", { kind: "e28", name: "e28l" }] as const;

afterEach(() => {
  delete process.env[variable];
});

test("chosen: all, some, and none of a test's engines", () => {
  assert.deepEqual(chosen(engines, variable), engines);
  for (const [text, expected] of [
    ["e20", [engines[0]]],
    ["e28l, e20", engines],
    ["e26", []],
  ] as const) {
    process.env[variable] = text;
    assert.deepEqual(chosen(engines, variable), expected, text);
  }
});

test("chosen: a slip is no empty run", () => {
  for (const text of ["e28-legacy", "e20 e29", " ", ""]) {
    process.env[variable] = text;
    assert.throws(() => chosen(engines, variable), /no engine/, text);
  }
});
