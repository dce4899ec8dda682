// Mutated questions, streams and answers through the whole path of one query, judged by a second, naive reading of the
// bytes: nothing throws, nothing is asked or granted that the policy does not allow, and memory stays flat.
// Usage: node test/fuzz/dns.ts [QUESTIONS] [ANSWERS] [SEED]

import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { seeded } from "../support/seeded.ts";
import { fuzzAnswer, fuzzFrames, fuzzQuestion, type Tally } from "./rounds.ts";

export interface FuzzRun {
  readonly questions: number;
  readonly answers: number;
  readonly seed: number;
}

export interface FuzzReport extends Readonly<Tally> {
  readonly growthMegabytes: number;
}

/** What may stay behind: code that was compiled on the way, and no trace of any round. */
const maxGrowthMegabytes = 16;
/** Rounds before memory is read for the first time: caches of the engine fill in them. */
const warmUpRounds = 1_000;
const roundsPerStream = 4;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** What lives, in the heap and outside of it: what is outside goes one turn after what held it. */
async function liveMegabytes(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    await setImmediate();
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();

  return (heapUsed + external) / 1048576;
}

/** Runs all of them; throws with the round's number at the first surprise, and when memory has grown. */
export async function runFuzz({ questions, answers, seed }: FuzzRun): Promise<FuzzReport> {
  const random = seeded(seed);
  const tally: Tally = { queries: 0, forwarded: 0, answered: 0, granted: 0, framed: 0, echoed: 0 };
  let before = 0;
  for (let round = 0; round < questions + answers; round++) {
    if (round === warmUpRounds) before = await liveMegabytes();
    try {
      await (round < questions ? fuzzQuestion(random, tally) : fuzzAnswer(random, tally));
      if (round % roundsPerStream === 0) fuzzFrames(random, tally);
    } catch (error) {
      throw new Error(`seed ${seed}, round ${round}`, { cause: error });
    }
  }
  const growthMegabytes = Math.round(((await liveMegabytes()) - before) * 10) / 10;
  assert.ok(growthMegabytes < maxGrowthMegabytes, `memory has grown by ${growthMegabytes} MB`);
  return { ...tally, growthMegabytes };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [questions = 2_000_000, answers = 1_000_000, seed = 1] = process.argv.slice(2).map(Number);
  const startedAt = performance.now();
  const report = await runFuzz({ questions, answers, seed });
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stdout.write(`${JSON.stringify({ seed, ...report, seconds })}\n`);
}
