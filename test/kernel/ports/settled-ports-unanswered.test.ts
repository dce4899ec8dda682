// A port that the kernel may hold for settled is taken out again, and one that it did not let go of is tried again.

import assert from "node:assert/strict";
import { after, afterEach, beforeEach, it, mock } from "node:test";
import { openSettledPorts, type SettledPorts } from "../../../src/edge/kernel/nftables/host/settled-ports.ts";
import { indexOf } from "../../support/frames.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { answerAll, loseAnswers, unanswered } from "../../support/unanswered.ts";

enterNamespaces(import.meta.url);

loseAnswers();
after(() => mock.restoreAll());
run("ip", "link", "add", "p-one", "type", "bridge");
const index = indexOf("p-one");
const isSettled = (): boolean =>
  run("nft", "list", "set", "bridge", "dockerwall", "settled").includes("elements");

let ports: SettledPorts;
beforeEach(() => {
  ports = openSettledPorts();
});
afterEach(() => {
  answerAll();
  ports.close();
});

it("a port that was settled without an answer is no more so once it is unsettled", () => {
  unanswered.changes = 1;
  assert.throws(() => ports.settle([index]), /did not answer/);
  assert.deepEqual([ports.has(index), isSettled()], [true, true]);
  ports.unsettle([index]);
  assert.equal(isSettled(), false);
});

it("the same once it is gone", () => {
  unanswered.changes = 1;
  assert.throws(() => ports.settle([index]), /did not answer/);
  ports.retain(() => false);
  assert.equal(isSettled(), false);
});

for (const areDone of [true, false])
  it(`a port whose unsettling was ${areDone ? "not answered" : "not done"} can be unsettled and settled again`, () => {
    ports.settle([index]);
    Object.assign(unanswered, { changes: 1, areDone });
    assert.throws(() => ports.unsettle([index]), /did not answer/);
    assert.equal(isSettled(), !areDone);
    ports.unsettle([index]);
    assert.equal(isSettled(), false);
    ports.settle([index]);
    assert.deepEqual([ports.has(index), isSettled()], [true, true]);
  });

it("a port whose settling was not done can be unsettled, and the daemon is awake still", () => {
  const listAwake = (): string => run("nft", "list", "set", "bridge", "dockerwall", "awake");
  ports.stayAwake(60_000);
  assert.match(listAwake(), /elements/);
  Object.assign(unanswered, { changes: 1, areDone: false });
  assert.throws(() => ports.settle([index]), /did not answer/);
  ports.unsettle([index]);
  assert.deepEqual([ports.has(index), isSettled()], [false, false]);
  assert.match(listAwake(), /elements/);
});
