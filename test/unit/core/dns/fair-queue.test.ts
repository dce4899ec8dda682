import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FairQueue, type FairQueueLimits, type Turn } from "../../../../src/core/dns/fair-queue.ts";

test("bounds hold, and those who wait are served in turn", () => {
  const queue = new FairQueue({ running: 4, runningPerAsker: 2, waiting: 6, waitingPerAsker: 4 });
  const started: string[] = [];
  const refused: string[] = [];
  const enter = (asker: string): string =>
    queue.enter(asker, { start: () => started.push(asker), refuse: () => refused.push(asker) });
  const enterAll = (askers: string): string => [...askers].map(enter).join(" ");
  assert.equal(enterAll("aaaaaaa"), "started started waiting waiting waiting waiting refused");
  // No more than are left free: the second would take the last place, which is another's.
  assert.equal(enterAll("bbbcd"), "started waiting waiting started waiting");
  // The last finds the queue full, and the asker with most waiting gives way.
  assert.deepEqual(refused, ["a"]);
  assert.deepEqual([queue.running, queue.waiting], [4, 6]);
  started.length = 0;
  for (const asker of "aab") queue.leave(asker);
  assert.deepEqual(started, ["d", "a", "b"]);
  const running = ["c", ...started];
  started.length = 0;
  for (let asker = running.shift(); asker !== undefined; asker = running.shift()) {
    queue.leave(asker);
    running.push(...started.splice(0));
  }
  assert.deepEqual([queue.running, queue.waiting], [0, 0]);
});

/** A queue, and how many of each network's turns have started and not left. */
function withNetworks(limits: FairQueueLimits) {
  const queue = new FairQueue(limits);
  const started: string[] = [];
  const refused: string[] = [];
  return {
    queue,
    started,
    refused,
    enter: (asker: string): string => {
      const [network = ""] = asker.split("/");
      const turn = { start: () => started.push(asker), refuse: () => refused.push(asker) };
      return queue.enter(asker, turn, network);
    },
    startedOf: (network: string): number => started.filter((asker) => asker.startsWith(`${network}/`)).length,
  };
}

test("a network with slow work keeps no other's waiting, however many askers it has", () => {
  const { enter, startedOf } = withNetworks({
    running: 2_048,
    runningPerAsker: 256,
    waiting: 16_384,
    waitingPerAsker: 1_024,
  });
  for (let asker = 0; asker < 64; asker++) for (let each = 0; each < 200; each++) enter(`slow/${asker}`);
  assert.equal(startedOf("slow"), 1_024);
  for (let each = 0; each < 256; each++) assert.equal(enter("other/a"), "started");
  for (let each = 0; each < 256; each++) assert.equal(enter("other/b"), "started");
  // Nor do several.
  for (let each = 0; each < 1_000; each++)
    for (let network = 0; network < 6; network++) enter(`slow${network}/${each % 20}`);
  const counts = Array.from({ length: 6 }, (_, network) => startedOf(`slow${network}`));
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join());
  for (let each = 0; each < 30; each++) assert.equal(enter("late/a"), "started");
});

test("networks are served in turn, and the askers of each", () => {
  const { queue, started, enter } = withNetworks({
    running: 3,
    runningPerAsker: 3,
    waiting: 100,
    waitingPerAsker: 100,
  });
  for (const asker of ["x/1", "x/1", "y/1"]) assert.equal(enter(asker), "started");
  for (let each = 0; each < 3; each++) for (const asker of ["x/1", "x/2", "x/3"]) enter(asker);
  for (const asker of ["y/1", "z/1"]) assert.equal(enter(asker), "waiting");
  started.length = 0;
  const running = ["x/1", "x/1", "y/1"];
  for (let asker = running.shift(); asker !== undefined; asker = running.shift()) {
    const before = started.length;
    queue.leave(asker);
    running.push(...started.slice(before));
  }
  const expected = [
    "z/1",
    "x/1",
    "y/1",
    ...["x/2", "x/3", "x/1"],
    ...["x/2", "x/3", "x/1"],
    ...["x/2", "x/3"],
  ];
  assert.deepEqual(started, expected);
  assert.deepEqual([queue.running, queue.waiting], [0, 0]);
});

test("a network whose many askers fill the queue with a little each keeps nobody out", () => {
  const { enter, refused } = withNetworks({ running: 2, runningPerAsker: 1, waiting: 8, waitingPerAsker: 4 });
  for (const asker of ["x/0", "y/0"]) enter(asker);
  for (let asker = 1; asker <= 8; asker++) assert.equal(enter(`x/${asker}`), "waiting");
  for (let each = 0; each < 3; each++) assert.equal(enter("y/1"), "waiting");
  assert.ok(refused.length === 3 && refused.every((asker) => asker.startsWith("x/")), refused.join());
});

test("who withdraws is not started", () => {
  const queue = new FairQueue({ running: 1, runningPerAsker: 1, waiting: 10, waitingPerAsker: 10 });
  const started: number[] = [];
  const turns: Turn[] = [0, 1, 2].map((i) => ({ start: () => started.push(i), refuse: assert.fail }));
  for (const turn of turns) queue.enter("a", turn);
  if (turns[1] !== undefined) queue.withdraw("a", turns[1]);
  queue.leave("a");
  queue.leave("a");
  assert.deepEqual(started, [0, 2]);
  assert.deepEqual([queue.running, queue.waiting], [0, 0]);
});

test("a crowd of few that fills the queue keeps nobody out", () => {
  const queue = new FairQueue({ running: 2, runningPerAsker: 1, waiting: 8, waitingPerAsker: 4 });
  const started: string[] = [];
  const refused: string[] = [];
  const enter = (asker: string): string =>
    queue.enter(asker, { start: () => started.push(asker), refuse: () => refused.push(asker) });
  for (const asker of "aaaaabbbbb") enter(asker);
  assert.deepEqual([queue.running, queue.waiting], [2, 8]);
  assert.equal(enter("a"), "refused");
  assert.deepEqual([enter("c"), enter("c"), enter("d")], ["waiting", "waiting", "waiting"]);
  assert.deepEqual([refused.sort(), queue.waiting], [["a", "a", "b"], 8]);
  for (let served = 0; served < 10; served++) queue.leave(started[served] ?? assert.fail());
  assert.deepEqual([queue.running, queue.waiting, started.length], [0, 0, 10]);
  assert.ok(started.slice(0, 6).includes("c") && started.slice(0, 6).includes("d"));
});

/** What the queue should know, kept in the plainest way. */
class Model {
  readonly queue: FairQueue;
  readonly running: string[] = [];
  readonly waiting: { readonly asker: string; readonly turn: Turn }[] = [];
  readonly #limits: FairQueueLimits;

  constructor(limits: FairQueueLimits) {
    this.queue = new FairQueue(limits);
    this.#limits = limits;
  }

  enter(asker: string): void {
    const turn: Turn = {
      start: () => {
        this.running.push(asker);
        const index = this.waiting.findIndex((entry) => entry.turn === turn);
        if (index >= 0) this.waiting.splice(index, 1);
      },
      refuse: () => {
        const index = this.waiting.findIndex((entry) => entry.turn === turn);
        assert.ok(index >= 0);
        this.waiting.splice(index, 1);
      },
    };
    if (this.queue.enter(asker, turn, networkOf(asker)) === "waiting") this.waiting.push({ asker, turn });
  }

  leave(asker: string): void {
    const index = this.running.indexOf(asker);
    if (index < 0) return;
    this.running.splice(index, 1);
    this.queue.leave(asker);
  }

  withdraw(asker: string): void {
    const index = this.waiting.findIndex((entry) => entry.asker === asker);
    const [entry] = index < 0 ? [] : this.waiting.splice(index, 1);
    if (entry !== undefined) this.queue.withdraw(asker, entry.turn);
  }

  runningOf(asker: string): number {
    return this.running.filter((other) => other === asker).length;
  }

  mayRun(asker: string): boolean {
    const ofNetwork = this.running.filter((other) => networkOf(other) === networkOf(asker)).length;
    return (
      this.runningOf(asker) < this.#limits.runningPerAsker &&
      ofNetwork < this.#limits.running - this.running.length
    );
  }
}

/** `a` and `b` share a network. */
const networkOf = (asker: string): string => (asker === "b" ? "a" : asker);

test("whatever happens, the counts are right, bounds hold, and nobody waits while there is room", () => {
  const limits = { running: 5, runningPerAsker: 2, waiting: 8, waitingPerAsker: 3 };
  const step = fc.tuple(fc.constantFrom("enter", "enter", "leave", "withdraw"), fc.constantFrom(..."abcd"));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const model = new Model(limits);
      for (const [verb, asker] of steps) {
        model[verb as "enter" | "leave" | "withdraw"](asker);
        assert.deepEqual(
          [model.queue.running, model.queue.waiting],
          [model.running.length, model.waiting.length],
        );
        assert.ok(model.running.length <= limits.running && model.waiting.length <= limits.waiting);
        assert.ok([..."abcd"].every((who) => model.runningOf(who) <= limits.runningPerAsker));
        assert.ok(!model.waiting.some(({ asker: waiting }) => model.mayRun(waiting)));
      }
    }),
  );
});

test("work that is over as soon as it starts has the next one started, however much there is of it", () => {
  const queue = new FairQueue({ running: 1, runningPerAsker: 1, waiting: 20_000, waitingPerAsker: 20_000 });
  let done = 0;
  const refuse = assert.fail;
  queue.enter("a", { start: () => undefined, refuse });
  const start = (): void => {
    done++;
    queue.leave("a");
  };
  for (let each = 0; each < 20_000; each++) assert.equal(queue.enter("a", { start, refuse }), "waiting");
  queue.leave("a");
  assert.equal(done, 20_000);
  assert.deepEqual([queue.running, queue.waiting], [0, 0]);
});
