// What a flow of TLS is refused for.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Step } from "../../../../../src/core/name-check/flow/steps.ts";
import type { Refusal } from "../../../../../src/core/name-check/refusals.ts";
import { alert, retry } from "../../../../support/flow/tls-answers.ts";
import { again, begin, dropped, evil, first, held, refusalIn } from "../../../../support/flow/tls-flow.ts";

for (const [what, refusal, play] of [
  ["another name", "not-allowed", ({ says }) => [says(0, evil)]],
  [
    "other bytes while it is held",
    "other-bytes",
    ({ says }) => [says(0, first.subarray(0, 99)), says(0, evil)],
  ],
  [
    "other bytes behind",
    "other-bytes",
    ({ says }) => [says(0, first), says(first.length - 1, Buffer.alloc(3))],
  ],
  ["a second hello unasked", "early-hello", ({ says }) => [says(0, first), says(first.length, again)]],
  ["two at once", "early-hello", ({ says }) => [says(0, Buffer.concat([first, again]))]],
  ["another one unasked", "other-name", ({ says }) => [says(0, first), says(first.length, evil)]],
  ["an alert behind", "not-a-hello", ({ says }) => [says(0, first), says(first.length, alert)]],
  [
    "another name when asked",
    "other-name",
    ({ says, answers }) => [says(0, first), answers(0, retry, first.length), says(first.length, evil)],
  ],
  ["neither", "neither", ({ says }) => [says(0, Buffer.from([0, 1, 2]))]],
  ["HTTP that is no HTTP", "not-http", ({ says }) => [says(0, Buffer.from("SSH-2.0-x\r\n"))]],
  [
    "a server that speaks first",
    "server-first",
    ({ answers }) => [answers(0, Buffer.from("SSH-2.0-x\r\n"), 0)],
  ],
  [
    "small pieces",
    "many-segments",
    ({ says }) => {
      for (let at = 0; at < 32; at++) assert.deepEqual(says(at, first.subarray(at, at + 1)), [held(at + 1)]);
      return [says(32, first.subarray(32, 33))];
    },
  ],
] as const satisfies readonly (readonly [
  string,
  Refusal,
  (flow: ReturnType<typeof begin>) => readonly (readonly Step[])[],
])[])
  test(`refused: ${what}`, () => {
    const playing = begin();
    const steps = play(playing).at(-1) ?? [];
    assert.equal(refusalIn(steps), refusal);
    assert.deepEqual(
      steps.map(({ kind }) => kind),
      ["mark", "drop", "reset", "note"],
    );
    assert.deepEqual(playing.says(0, first), [dropped(lastId(steps) + 1)]);
  });

function lastId(steps: readonly Step[]): number {
  return Math.max(...steps.flatMap((step) => (step.kind === "drop" ? step.ids : [])));
}
