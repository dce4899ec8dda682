// Work that is asked for at any time: one run at a time, none lost, and a rest between two.

import assert from "node:assert/strict";
import { it } from "node:test";
import { createSchedule, type Schedule } from "../../../src/control/schedule.ts";
import { readCounters } from "../../../src/core/counters/registry.ts";

interface Trial {
  readonly schedule: Schedule;
  /** What has happened, in order. */
  readonly happened: string[];
  /** Ends the run, or the rest, that is under way. */
  readonly end: (what: "run" | "rest") => Promise<void>;
}

function start(): Trial {
  const happened: string[] = [];
  const ends = { run: (): void => undefined, rest: (): void => undefined };
  const lasting = (what: "run" | "rest") => async (): Promise<void> => {
    happened.push(what);
    await new Promise<void>((resolve) => {
      ends[what] = resolve;
    });
    happened.push(`${what} over`);
  };
  return {
    schedule: createSchedule(lasting("run"), assert.ifError, lasting("rest")),
    happened,
    async end(what) {
      ends[what]();
      await turn();
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("runs once more, after a rest, for all that ask while it runs or rests", async () => {
  const { schedule, happened, end } = start();
  const first = schedule.request();
  const second = schedule.request();
  await end("run");
  await first;
  assert.deepEqual(happened, ["run", "run over", "rest"]);
  const third = schedule.request();
  await turn();
  assert.deepEqual(happened.slice(3), []);
  assert.equal(third, second);
  await end("rest");
  await end("run");
  await third;
  assert.deepEqual(happened.slice(3), ["rest over", "run", "run over"]);
});

it("does not rest before what is urgent, asked for while it runs or while it rests", async () => {
  for (const asked of ["while it runs", "while it rests"]) {
    const { schedule, happened, end } = start();
    void schedule.request();
    const second = schedule.request(asked === "while it runs");
    await end("run");
    if (asked === "while it rests") void schedule.request(true);
    await turn();
    assert.equal(happened.at(-1), "run", asked);
    assert.equal(happened.includes("rest over"), false);
    await end("run");
    await second;
  }
});

it("is idle when nothing runs, rests or waits", async () => {
  const { schedule, happened, end } = start();
  await schedule.idle();
  void schedule.request();
  void schedule.request();
  await end("run");
  let isIdle = false;
  const idle = schedule.idle().then(() => {
    isIdle = true;
  });
  await turn();
  assert.equal(isIdle, false);
  await end("rest");
  await turn();
  assert.equal(isIdle, false);
  await end("run");
  await idle;
  assert.equal(happened.filter((what) => what === "run").length, 2);
});

/** Failures that were told and counted, and ended nothing. */
function contained(): number {
  const found = readCounters().find(({ name }) => name === "contained_failures");
  return found?.value ?? assert.fail("no such counter");
}

it("tells and counts a run that fails, and runs again when it is asked", async () => {
  const failure = new Error("the kernel refuses");
  const told: unknown[] = [];
  let runs = 0;
  const schedule = createSchedule(
    async () => {
      runs += 1;
      if (runs === 1) throw failure;
    },
    (error) => told.push(error),
  );
  const before = contained();
  await schedule.request();
  assert.deepEqual([told, contained() - before], [[failure], 1]);
  await schedule.request();
  assert.deepEqual([runs, told.length, contained() - before], [2, 1, 1]);
});

it("ends with nothing but itself, even where telling what failed fails", async () => {
  const schedule = createSchedule(
    () => Promise.reject(new Error("the kernel refuses")),
    () => {
      throw new Error("nobody listens");
    },
  );
  await schedule.request();
  await schedule.idle();
});

it("goes on after a rest that fails, and tells and counts that", async () => {
  const failure = new Error("no rest");
  const told: unknown[] = [];
  let runs = 0;
  const schedule = createSchedule(
    async () => void runs++,
    (error) => told.push(error),
    () => Promise.reject(failure),
  );
  const before = contained();
  await Promise.all([schedule.request(), schedule.request()]);
  await schedule.idle();
  assert.deepEqual([runs, told, contained() - before], [2, [failure], 1]);
});
