// Questions of sandboxes, with sandboxes that exist by name only.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import type { Standing } from "../../../../../src/core/askers/standing.ts";
import type { SandboxQuery } from "../../../../../src/edge/sandbox/lookups/query.ts";
import { createQuestions } from "../../../../../src/edge/sandbox/lookups/questions.ts";
import type { Sandbox } from "../../../../../src/edge/sandbox/sandbox.ts";

let nowMs = 0;
beforeEach(() => {
  nowMs = 0;
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => nowMs);
});
afterEach(() => mock.reset());

function pass(ms: number): void {
  nowMs += ms;
  mock.timers.tick(ms);
}

function start(kind: Standing["kind"], failing: readonly ("answer" | "fail")[]) {
  const sandbox = { name: "box", standing: { kind } } as unknown as { name: string; standing: Standing };
  const seen: string[] = [];
  const does = (what: "answer" | "fail", text: string): void => {
    if (text === "bad" && failing.includes(what)) throw new Error(`cannot ${what}`);
    seen.push(`${what} ${text}`);
  };
  const textOf = ({ message }: SandboxQuery): string => Buffer.from(message).toString();
  const questions = createQuestions({
    onQuery: (query) => does("answer", textOf(query)),
    onUnanswerable: (query) => does("fail", textOf(query)),
    onUnknown: () => undefined,
    release: () => undefined,
    onProblem: (problem) => seen.push(problem),
  });
  const receive = (text: string): void => {
    const query = { message: Buffer.from(text), transport: "udp", sandbox: "box", arrivedAtMs: 0 } as const;
    const reply = (answer: Uint8Array | undefined): void =>
      void seen.push(`${answer === undefined ? "silence" : "reply"} ${text}`);
    questions.receive(sandbox as unknown as Sandbox, { ...query, isGone: undefined, reply });
  };
  return { sandbox, questions, receive, seen };
}

test("a question that fails when its sandbox is known keeps no other waiting", () => {
  const { sandbox, questions, receive, seen } = start("unknown", ["answer"]);
  for (const text of ["bad", "good"]) receive(text);
  sandbox.standing = { kind: "guarded", memberships: [], settled: true, mayLose: false };
  questions.settle(sandbox as unknown as Sandbox);
  assert.deepEqual(seen, ["sandbox box: cannot answer", "fail bad", "answer good"]);
});

test("a question that cannot be answered at once is failed, too", () => {
  const { receive, seen } = start("guarded", ["answer"]);
  for (const text of ["bad", "good"]) receive(text);
  assert.deepEqual(seen, ["sandbox box: cannot answer", "fail bad", "answer good"]);
});

test("a question that cannot even be failed in time is a problem, and gets silence", () => {
  const { receive, seen } = start("unknown", ["fail"]);
  for (const text of ["bad", "good"]) receive(text);
  pass(3_499);
  assert.deepEqual(seen, []);
  pass(1);
  assert.deepEqual(seen, ["silence bad", "sandbox box: cannot fail", "fail good"]);
});
