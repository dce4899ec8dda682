// Whatever happens, in whichever order: the kernel comes to what a fresh start would make of it, nobody who is held is
// let go on the way, and what is uninstalled stays so. DOCKERWALL_LONG=1 takes 20,000 sequences, DOCKERWALL_RUNS as many
// as it says, DOCKERWALL_SEED others.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, mock, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { seeded } from "../../support/seeded.ts";
import { steps } from "../../support/sequence/steps.ts";
import { createWorld } from "../../support/sequence/world.ts";

const long = process.env["DOCKERWALL_LONG"] === "1";
const numRuns = Number(process.env["DOCKERWALL_RUNS"] ?? (long ? 20_000 : 300));
const seed = Number(process.env["DOCKERWALL_SEED"] ?? 1);

const folder = mkdtempSync(join(tmpdir(), "dockerwall-sequences-"));
const policyFile = join(folder, "policy.yaml");
writeFileSync(
  policyFile,
  'networks:\n  app: "203.0.113.128/25 host:9000/tcp"\ncontainers:\n  web: "!host:9000/tcp"\n',
);
after(() => rmSync(folder, { recursive: true }));

interface Happening {
  readonly what: string;
  readonly pick: number;
  readonly told: boolean;
  /** How long the next one waits: not at all, for some of what follows from it, or for all. */
  readonly pause: number;
}

/** Without these there is little for the others to act on. */
const often = [
  "a network is created",
  "a container is created",
  "a container is started",
  "time passes",
  "allow for a while",
  "quarantine",
];

const happening: fc.Arbitrary<Happening> = fc.record({
  what: fc.constantFrom(...often, ...often, ...Object.keys(steps)),
  pick: fc.nat(9_999),
  told: fc.boolean(),
  pause: fc.nat(30),
});

async function run(happenings: readonly Happening[]): Promise<void> {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_800_000_000_000 });
  const world = createWorld(policyFile);
  try {
    world.start("all");
    await turn();
    for (const { what, pick, told, pause } of happenings) {
      world.story.push(what);
      await steps[what]?.(world, { random: seeded(pick), told });
      if (pause > 20) await turn();
      else for (let each = 0; each < pause; each++) await null;
      world.assertWell();
    }
    world.story.push("at last");
    await world.settle();
  } catch (error) {
    assert.fail(`${world.story.join("\n")}\n${error instanceof Error ? error.stack : error}`);
  } finally {
    world.kill();
    mock.timers.reset();
  }
}

test("whatever happens, the kernel comes to what a fresh start makes of it", async () => {
  await fc.assert(fc.asyncProperty(fc.array(happening, { maxLength: 25, size: "max" }), run), {
    numRuns,
    seed,
  });
});
