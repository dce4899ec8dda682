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
import { familyOf } from "../../../src/core/model/address.ts";
import { refuse } from "../../support/fake-rule.ts";
import { seeded } from "../../support/seeded.ts";
import { addressIn } from "../../support/sequence/host.ts";
import type { World } from "../../support/sequence/step.ts";
import { steps } from "../../support/sequence/steps.ts";
import { fateOf } from "../../support/sequence/walk.ts";
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

async function inWorld(happen: (world: World) => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_800_000_000_000 });
  const world = createWorld(policyFile);
  try {
    await happen(world);
  } catch (error) {
    assert.fail(`${world.story.join("\n")}\n${error instanceof Error ? error.stack : error}`);
  } finally {
    world.kill();
    mock.timers.reset();
  }
}

const run = (happenings: readonly Happening[]): Promise<void> =>
  inWorld(async (world) => {
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
  });

test("whatever happens, the kernel comes to what a fresh start makes of it", async () => {
  await fc.assert(fc.asyncProperty(fc.array(happening, { maxLength: 25, size: "max" }), run), {
    numRuns,
    seed,
  });
});

// Otherwise rules that deny everything would pass for right: all that sequences try of guarded networks must be held.
test("what a label grants passes by the rules as they are walked, and its neighbours do not", () =>
  inWorld(async (world) => {
    world.host.addNetwork("db", 1, { "dockerwall.allow": "host:5432/tcp" });
    world.start("all");
    await world.settle();
    const { bridge, subnets } = [...world.host.networks.values()][0] ?? assert.fail();
    for (const subnet of subnets) {
      const [source, destination] = [addressIn(subnet, 200), addressIn(subnet, 1)];
      const packet = { family: familyOf(source), source, destination, from: bridge, to: undefined };
      const fates = [5432, 5433].map((port) =>
        fateOf(world.kernel, { ...packet, port }, [["mangle", "INPUT"]]),
      );
      assert.deepEqual(fates, ["passes", "dropped"], source);
    }
  }));

test("where the kernel refuses something, the failed test tells what", async () => {
  const broken = inWorld(async (world) => {
    world.kernel.rules.restore = async () => refuse("no such match");
    world.start("all");
    await world.settle();
  });
  await assert.rejects(broken, /the start failed: the fake kernel refused: no such match/);
});
