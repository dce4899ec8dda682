// Which rules the wall wants, and that they get in although their sets are destroyed meanwhile.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { WallRules } from "../../../../src/control/wall/rules.ts";
import type { Ruleset } from "../../../../src/edge/kernel/firewall.ts";

let applied: Ruleset[];
let tries: number;
let exist: boolean;
/** What the firewall meets in each round; nothing more after these. */
let meets: (() => void)[];

function start(tried: boolean): WallRules {
  return new WallRules({
    firewall: {
      apply: async (ruleset) => {
        meets.shift()?.();
        applied.push(ruleset);
        return [{ family: 4, tables: ["raw"] as const }];
      },
      dryRun: async () => {
        tries += 1;
      },
      stands: async (ruleset) => applied.at(-1) === ruleset,
    },
    dnsPort: 5053,
    queueNumber: 5353,
    switches: { hold: true, demandSender: false, spareQuestions: false, wide: false },
    tried,
    setsExist: () => exist,
    onApplied: () => undefined,
    restoreSets: () => {
      exist = true;
    },
  });
}

beforeEach(() => {
  applied = [];
  tries = 0;
  exist = true;
  meets = [];
});

const destroyed = (): void => {
  exist = false;
  throw new Error("the set does not exist");
};

describe("the wall's rules", () => {
  it("are the same object until a switch changes", async () => {
    const rules = start(true);
    await rules.apply();
    assert.equal(await rules.stands(), true);
    assert.equal(rules.change("hold", true), false);
    assert.equal(await rules.stands(), true);
    assert.equal(rules.change("hold", false), true);
    assert.equal(await rules.stands(), false);
    assert.deepEqual(rules.switches, {
      hold: false,
      demandSender: false,
      spareQuestions: false,
      wide: false,
    });
  });

  it("are tried once on a host that has none", async () => {
    const rules = start(false);
    await rules.apply();
    await rules.apply();
    assert.equal(tries, 1);
    await start(true).apply();
    assert.equal(tries, 1);
  });

  it("are put in again when their sets were destroyed meanwhile, five times at most", async () => {
    meets = [destroyed, destroyed];
    assert.deepEqual(await start(true).apply(), [{ family: 4, tables: ["raw"] }]);
    meets = Array.from({ length: 5 }, () => destroyed);
    await assert.rejects(start(true).apply(), /the set does not exist/);
    assert.equal(meets.length, 0);
  });

  it("that the kernel refuses are not tried again", async () => {
    meets = [() => assert.fail("refused")];
    await assert.rejects(start(true).apply(), /refused/);
  });
});
