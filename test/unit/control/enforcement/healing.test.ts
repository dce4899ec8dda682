// Whose change of the rules it was that was put right.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { WallHealing } from "../../../../src/control/enforcement/healing.ts";
import type { ChangedRules } from "../../../../src/edge/kernel/firewall.ts";

let happened: string[];
let changed: readonly ChangedRules[] | Error;
let mayWork: boolean;
/** Rules are not compared before it is over. */
let busy: Promise<void> | undefined;
let healing: WallHealing;
let nowMs: number;

beforeEach(() => {
  happened = [];
  changed = ([4, 6] as const).map((family) => ({ family, tables: ["raw"] }));
  mayWork = true;
  busy = undefined;
  nowMs = 0;
  healing = new WallHealing({
    wall: {
      applyRules: async () => {
        await busy;
        if (changed instanceof Error) throw changed;
        return changed;
      },
    },
    reporter: {
      onProblem: (place, problem) => happened.push(`${place}: ${problem}`),
      clearProblem: (place) => happened.push(`${place} are well`),
    },
    log: { warn: (_, { family } = {}) => happened.push(`put right: IPv${family}`) },
    mayWork: () => mayWork,
    onInstalled: () => happened.push("installed"),
    nowMs: () => nowMs,
  });
});

describe("rules that differ", () => {
  it("are put right as another's change only once they were installed", async () => {
    await healing.install();
    assert.deepEqual(happened.splice(0), ["installed", "rules are well"]);
    await healing.heal();
    assert.deepEqual(happened.splice(0), [
      "put right: IPv4",
      "put right: IPv6",
      "installed",
      "rules are well",
    ]);
    await healing.installOthers();
    assert.deepEqual(happened.splice(0), ["installed", "rules are well"]);
  });

  it("that cannot be put right are a problem until they are, and thrown by an install", async () => {
    changed = new Error("refused");
    await healing.heal();
    await assert.rejects(healing.install(), /refused/);
    assert.deepEqual(happened.splice(0), ["rules: refused", "rules: refused"]);
    assert.equal(healing.isInstalled, false);
    changed = [];
    await healing.install();
    assert.deepEqual(happened, ["installed", "rules are well"]);
  });

  it("that are wanted while earlier ones are installed are not installed with these", async () => {
    await healing.install();
    happened = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    busy = promise;
    const earlier = healing.heal();
    const later = healing.installOthers();
    resolve();
    await earlier;
    assert.equal(healing.isInstalled, false);
    changed = new Error("refused");
    await later;
    assert.equal(healing.isInstalled, false);
    changed = [];
    await healing.heal();
    assert.equal(healing.isInstalled, true);
  });

  it("are left alone while the wall is not ours", async () => {
    mayWork = false;
    await healing.install();
    assert.deepEqual(happened, []);
  });

  it("again and again are a problem until a minute has passed without", async () => {
    changed = [{ family: 4, tables: ["filter", "mangle"] }];
    await healing.install();
    const problems = (): readonly string[] => happened.filter((line) => line.startsWith("work: rules"));
    for (let round = 0; round < 5; round++) {
      nowMs += 10_000;
      await healing.heal();
    }
    assert.deepEqual(problems(), []);
    nowMs += 9_000;
    await healing.heal();
    assert.match(
      problems().join(),
      /changes the rules in raw, mangle or nat again and again: put right 6 times within a minute/,
    );
    happened.length = 0;
    changed = [];
    nowMs += 59_000;
    await healing.heal();
    assert.deepEqual(problems(), []);
    nowMs += 2_000;
    await healing.heal();
    assert.deepEqual(problems(), ["work: rules of others are well"]);
  });

  it("in the table filter alone are no rival's: an engine's own come before them with each network", async () => {
    changed = [{ family: 4, tables: ["filter"] }];
    await healing.install();
    for (let round = 0; round < 20; round++) await healing.heal();
    assert.deepEqual(
      happened.filter((line) => line.startsWith("work: rules of others:")),
      [],
    );
    assert.equal(happened.filter((line) => line === "put right: IPv4").length, 20);
  });
});
