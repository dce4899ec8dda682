import assert from "node:assert/strict";
import { test } from "node:test";
import { Told } from "../../../../src/control/reporter/told.ts";
import type { Classification } from "../../../../src/core/classify/networks.ts";

test("a picture tells what is new since the last one", () => {
  const told = new Told();
  /** `SENTENCE`, with a kind in front where it is no warning. */
  const learn = (warnings: readonly string[], ids: readonly string[]): readonly string[] => {
    const classification = {
      guarded: ids.map((id) => ({ id })),
      problems: new Map([["n1", ["slip"]]]),
      warnings,
      containers: { problems: [], warnings: [] },
    } as unknown as Classification;
    return told
      .learn({ containers: [] }, classification, ["circle"])
      .map(({ kind, sentence }) => (kind === "warning" ? sentence : `${kind}: ${sentence}`));
  };
  assert.deepEqual(learn(["wide"], ["n1"]), ["problem: slip", "wide", "circle"]);
  assert.deepEqual(learn(["wide", "new"], ["n1", "n2"]), ["new"]);
  assert.deepEqual(learn([], ["n2"]), ["solved: wide", "solved: new"]);
  assert.deepEqual(learn(["wide"], ["n1"]), ["wide"]);
});

test("foreign interfaces are told once, and once when they are gone", () => {
  const told = new Told();
  const learn = (...sentences: readonly string[]): readonly string[] =>
    told.learnForeign(sentences).map(({ kind, sentence }) => `${kind}: ${sentence}`);
  assert.deepEqual(learn("web"), ["warning: web"]);
  assert.deepEqual(learn("web", "db"), ["warning: db"]);
  assert.deepEqual(learn("db"), ["solved: web"]);
  assert.deepEqual(told.foreign, ["db"]);
  assert.deepEqual(learn(), ["solved: db"]);
});

test("a warning of the policy file is told once, and once when it is no longer so", () => {
  const told = new Told();
  const learn = (sentence: string | undefined): readonly string[] =>
    told.learnPolicyFile(sentence).map(({ kind, sentence }) => `${kind}: ${sentence}`);
  assert.deepEqual(learn("another name"), ["warning: another name"]);
  assert.deepEqual(learn("another name"), []);
  assert.deepEqual(learn(undefined), ["solved: another name"]);
});
