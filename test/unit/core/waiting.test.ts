// What waits until more is known, against what it should come to, kept in the plainest way.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Waiter, Waiting, type WaitingOptions } from "../../../src/core/waiting.ts";
import { Clock } from "../../support/clock.ts";

function start(change: Partial<WaitingOptions> = {}) {
  const clock = new Clock();
  const failures: string[] = [];
  const waiting = new Waiting({
    perAsker: 2,
    inAll: 5,
    nowMs: () => clock.nowMs,
    after: clock.after,
    onFailure: (error) => failures.push(String(error)),
    ...change,
  });
  const seen: string[] = [];
  const waiter = (asker: string, decide: Waiter["decide"], withinMs = 100): Waiter => ({
    asker,
    deadlineAtMs: clock.nowMs + withinMs,
    decide,
    refuse: () => seen.push(`refused ${asker}`),
  });
  return { clock, waiting, seen, failures, waiter };
}

test("what waits is judged again so often, after a look, until it is decided", () => {
  let looks = 0;
  let known = false;
  const { clock, waiting, waiter } = start({ againEveryMs: 20, look: () => looks++ });
  waiting.add(waiter("a", () => (known ? "decided" : "waits")));
  clock.pass(45);
  assert.equal(looks, 2);
  known = true;
  clock.pass(20);
  assert.deepEqual([waiting.size, looks, clock.timers], [0, 3, 0]);
});

test("one that fails is refused and told, and keeps no other from being judged", () => {
  const { clock, waiting, seen, failures, waiter } = start();
  waiting.add(waiter("bad", () => assert.fail("no")));
  waiting.add({ ...waiter("worse", () => "waits"), refuse: () => assert.fail("not even that") });
  waiting.add(waiter("good", () => "waits"));
  waiting.judge();
  assert.deepEqual([seen, failures.length], [["refused bad"], 1]);
  clock.pass(100);
  assert.deepEqual([seen, failures.length, waiting.size], [["refused bad", "refused good"], 2, 0]);
});

test("after a look that fails nothing is judged by what was known before: it waits for one that succeeds", () => {
  let fails = true;
  const look = (): void => {
    if (fails) throw new Error("no list");
  };
  const { clock, waiting, failures, waiter } = start({ againEveryMs: 20, look });
  waiting.add(waiter("a", () => (fails ? assert.fail("judged") : "decided")));
  waiting.judge();
  assert.deepEqual([waiting.size, failures], [1, ["Error: no list"]]);
  fails = false;
  clock.pass(20);
  assert.deepEqual([waiting.size, failures.length, clock.timers], [0, 1, 0]);
});

test("what no look that succeeds comes for in time is refused, each at its own deadline", () => {
  const { clock, waiting, seen, waiter } = start({ againEveryMs: 20, look: () => assert.fail("no list") });
  waiting.add(waiter("late", () => assert.fail("judged"), 90));
  waiting.add(waiter("soon", () => assert.fail("judged"), 50));
  clock.pass(49);
  assert.deepEqual([seen, waiting.size], [[], 2]);
  clock.pass(1);
  assert.deepEqual([seen, waiting.size], [["refused soon"], 1]);
  clock.pass(40);
  assert.deepEqual([seen, waiting.size, clock.timers], [["refused soon", "refused late"], 0, 0]);
});

test("at the end what waits is given back, and never judged", () => {
  const { clock, waiting, seen, waiter } = start({ againEveryMs: 20 });
  const left = waiter("a", () => assert.fail("judged"));
  waiting.add(left);
  assert.deepEqual(waiting.end(), [left]);
  clock.pass(1_000);
  assert.deepEqual([seen, clock.timers], [[], 0]);
});

test("one asker's are judged alone", () => {
  const { waiting, waiter } = start();
  for (const asker of ["a", "b"]) waiting.add(waiter(asker, () => "decided"));
  waiting.judge("b");
  assert.equal(waiting.size, 1);
});

test("the end of one's time has no other judged: many that wait do not cost more the more there are", () => {
  const { clock, waiting, waiter, seen } = start();
  let judged = 0;
  const decide = (): "waits" => {
    judged++;
    return "waits";
  };
  for (let at = 0; at < 5; at++) waiting.add(waiter(`a${at}`, decide, 100 + at));
  clock.pass(104);
  assert.deepEqual([judged, seen.length, clock.timers], [5, 5, 0]);
});

type Step =
  | { readonly kind: "add"; readonly asker: number; readonly withinMs: number; readonly breaks: boolean }
  | { readonly kind: "learn" | "judge" | "restart"; readonly asker: number }
  | { readonly kind: "pass"; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("add" as const),
      asker: fc.nat(3),
      withinMs: fc.nat(60),
      breaks: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("learn" as const, "judge" as const, "judge" as const),
      asker: fc.nat(3),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), asker: fc.nat(3) }) },
);

/** One that waits, and what has become of it. */
interface Watched {
  readonly asker: number;
  readonly deadlineAtMs: number;
  outcomes: string[];
}

/** What should come of every one that waits. */
class Model {
  readonly #started: ReturnType<typeof start>;
  readonly #known = new Set<number>();
  #waits: Watched[] = [];

  constructor(polls: boolean) {
    this.#started = start(polls ? { againEveryMs: 7 } : {});
  }

  run(each: Step): void {
    const { clock, waiting } = this.#started;
    if (each.kind === "add") this.#add(each);
    else if (each.kind === "learn") this.#known.add(each.asker);
    else if (each.kind === "judge") waiting.judge();
    else if (each.kind === "pass") clock.pass(each.ms);
    else this.#restart();
    for (const watched of this.#waits) this.#check(watched, each.kind === "judge");
    this.#waits = this.#waits.filter(({ outcomes }) => outcomes.length === 0);
    assert.equal(waiting.size, this.#waits.length);
  }

  #add({ asker, withinMs, breaks }: Extract<Step, { kind: "add" }>): void {
    const { clock, waiting } = this.#started;
    const its: Watched = { asker, deadlineAtMs: clock.nowMs + withinMs, outcomes: [] };
    const isPlaced = waiting.add({
      asker: String(asker),
      deadlineAtMs: its.deadlineAtMs,
      decide: () => {
        if (!this.#known.has(asker)) return "waits";
        if (breaks) throw new Error("no");
        its.outcomes.push("decided");
        return "decided";
      },
      refuse: () => its.outcomes.push(this.#known.has(asker) && breaks ? "broken" : "refused"),
    });
    const mine = this.#waits.filter((each) => each.asker === asker).length;
    assert.equal(isPlaced, withinMs > 0 && mine < 2 && this.#waits.length < 5);
    if (isPlaced) this.#waits.push(its);
  }

  /** Who comes next knows nothing, and owes nobody an answer. */
  #restart(): void {
    assert.equal(this.#started.waiting.end().length, this.#waits.length);
    this.#waits = [];
    this.#known.clear();
  }

  #check({ asker, deadlineAtMs, outcomes }: Watched, wasJudged: boolean): void {
    const isKnown = this.#known.has(asker);
    const isOver = this.#started.clock.nowMs >= deadlineAtMs;
    assert.ok(outcomes.length < 2, "twice");
    if (outcomes[0] === "decided" || outcomes[0] === "broken") assert.ok(isKnown, "on half of it");
    if (outcomes[0] === "refused") assert.ok(!isKnown || isOver, "for nothing");
    if (isOver || (wasJudged && isKnown)) assert.equal(outcomes.length, 1, "left waiting");
  }
}

test("whatever the order: decided when known and never before, refused in time, once, within the bounds", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, polls) => {
      const model = new Model(polls);
      for (const each of steps) model.run(each);
    }),
    { numRuns: 500 },
  );
});
