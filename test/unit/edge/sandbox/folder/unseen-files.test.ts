import assert from "node:assert/strict";
import { test } from "node:test";
import { UnseenFiles } from "../../../../../src/edge/sandbox/folder/unseen-files.ts";

test("a file's fate changes with what is learned of it, and it is unseen until then", () => {
  const files = new UnseenFiles();
  const [one, other] = files.add(["one", "other"]);
  assert.deepEqual([one?.fate, other?.fate], ["pending", "pending"]);
  files.resolve("one", "seen");
  files.resolve("other", "gone");
  assert.deepEqual([one?.fate, other?.fate], ["seen", "gone"]);
  assert.deepEqual(files.names(), []);
});

test("what was seen before it was asked which files were made is not unseen, once", () => {
  const files = new UnseenFiles();
  files.resolve("early", "seen");
  assert.deepEqual(
    files.add(["early", "late"]).map(({ name }) => name),
    ["late"],
  );
  assert.deepEqual(files.names(), ["late"]);
  assert.deepEqual(
    files.add(["early"]).map(({ name }) => name),
    ["early"],
  );
});
