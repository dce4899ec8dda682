// The wall on rules and sets in memory: what others do to them in any order is put right, and nothing is left.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import fc from "fast-check";
import { createWall, type Wall } from "../../../src/control/wall.ts";
import { type Family, hostPrefix, type IpAddress } from "../../../src/core/model/address.ts";
import type { Firewall } from "../../../src/edge/kernel/firewall.ts";
import { stayAwake } from "../../../src/edge/kernel/flows/engine-queue.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import type { Backend } from "../../../src/edge/kernel/iptables/tools.ts";
import { createFakeRules, type FakeRules } from "../../support/fake-rules.ts";
import { createFakeSets, type FakeSets } from "../../support/fake-sets.ts";
import { quietHost } from "../../support/policies.ts";

const families = [4, 6] as const;

let sets: FakeSets;
let rules: FakeRules;
let others: FakeRules;
let wall: Wall;

function start(): void {
  // Neither is read by netlink.
  const variant = (backend: Backend) => createIptables("legacy", backend === "nft" ? others : rules);
  wall = createWall({
    sets,
    firewall: createFirewall("legacy", variant),
    dnsPort: 5053,
    queueNumber: 5353,
    hold: true,
    listBridges: () => [],
    ...quietHost(),
  });
  wall.classify({ networks: [], containers: [] });
}

const state = async (): Promise<string> => (await Promise.all(families.map(rules.save))).join("\n");

beforeEach(async () => {
  sets = createFakeSets(() => 0);
  const hasSet = (name: string): boolean => sets.names().includes(name);
  rules = createFakeRules({ hasSet });
  others = createFakeRules({ hasSet });
  for (const family of families)
    await rules.restore(family, "*filter\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\nCOMMIT\n");
  start();
});

/** What others do; each is taken, whatever was done before. */
const changes: Readonly<Record<string, (family: Family) => Promise<unknown>>> = {
  "a rule put first": (family) => rules.restore(family, "*mangle\n-I FORWARD 1 -j ACCEPT\nCOMMIT\n"),
  "a rule put behind": (family) => rules.restore(family, "*raw\n-A PREROUTING -p tcp -j ACCEPT\nCOMMIT\n"),
  "a flushed hook": (family) => rules.restore(family, "*mangle\n-F FORWARD\n-F INPUT\nCOMMIT\n"),
  "an emptied chain": (family) => rules.restore(family, "*mangle\n:DOCKERWALL-DENY - [0:0]\nCOMMIT\n"),
  "a rule in our chain": (family) =>
    rules.restore(family, "*mangle\n:DOCKERWALL-JUDGE - [0:0]\n-A DOCKERWALL-JUDGE -j ACCEPT\nCOMMIT\n"),
  "a jump of other software": (family) =>
    rules.restore(family, "*mangle\n:DOCKERWALL-OLD - [0:0]\n-A OUTPUT -p tcp -g DOCKERWALL-OLD\nCOMMIT\n"),
  "our jump twice": (family) =>
    rules.restore(family, "*nat\n:DOCKERWALL-CAPTURE - [0:0]\n-A PREROUTING -j DOCKERWALL-CAPTURE\nCOMMIT\n"),
  "demanding senders": async () => wall.demandSenders(),
  "a restart": async () => start(),
};

const withoutForeign = (text: string): string =>
  text
    .split("\n")
    .filter((line) => !/^-A (?!DOCKERWALL-)/.test(line) || line.includes("DOCKERWALL-"))
    .join("\n");

describe("the wall", () => {
  it("puts right whatever others do, in whichever order, and leaves nothing", async () => {
    const step = fc.tuple(
      fc.constantFrom(...Object.keys(changes)),
      fc.constantFrom(...families),
      fc.boolean(),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        await wall.applyRules();
        for (const [what, family, applied] of steps) {
          await changes[what]?.(family);
          if (applied) await wall.applyRules();
        }
        await wall.applyRules();
        assert.equal(await wall.stands(), true);
        assert.deepEqual(await wall.applyRules(), []);
        const healed = withoutForeign(await state());
        await wall.remove();
        assert.doesNotMatch(await state(), /DOCKERWALL/);
        assert.deepEqual(sets.names(), []);
        // What comes after all that is what comes first.
        start();
        if (healed.includes("DOCKERWALL-SENDER")) wall.demandSenders();
        await wall.applyRules();
        assert.equal(withoutForeign(await state()), healed);
        await wall.remove();
      }),
      { numRuns: 40 },
    );
  });

  it("changes nothing on a host whose kernel would refuse a part of it", async () => {
    rules.lack("-j NFQUEUE");
    const before = await state();
    await assert.rejects(wall.applyRules(), /the kernel lacks -j NFQUEUE/);
    assert.equal(await state(), before);
    assert.doesNotMatch(rules.restored.join(""), /DOCKERWALL/);
  });

  it("says in which tables of which family others were", async () => {
    await wall.applyRules();
    for (const [family, input, tables] of [
      [4, "*filter\n-I INPUT 1 -p tcp -j ACCEPT\nCOMMIT\n", ["filter"]],
      [6, "*filter\n-I DOCKER-USER 1 -p tcp -j RETURN\nCOMMIT\n", ["filter"]],
      [4, "*mangle\n:DOCKERWALL-FORWARD - [0:0]\nCOMMIT\n", ["mangle"]],
      [6, "*raw\n-F PREROUTING\nCOMMIT\n*filter\n-F OUTPUT\nCOMMIT\n", ["filter", "raw"]],
    ] as const) {
      await rules.restore(family, input);
      const changes = await wall.applyRules();
      assert.deepEqual(
        changes.map((each) => ({ ...each, tables: each.tables.toSorted() })),
        [{ family, tables }],
      );
    }
    await wall.remove();
  });

  it("takes away what is left in the other variant, and only that", async () => {
    await wall.applyRules();
    const before = await state();
    await others.restore(
      4,
      "*mangle\n:DOCKERWALL-FORWARD - [0:0]\n-A DOCKERWALL-FORWARD -i br-+ -j DROP\n-I FORWARD 1 -j DOCKERWALL-FORWARD\n-A FORWARD -j ACCEPT\nCOMMIT\n",
    );
    await wall.cleanOther();
    assert.match(await others.save(4), /^-A FORWARD -j ACCEPT$/m);
    assert.doesNotMatch(await others.save(4), /DOCKERWALL/);
    assert.equal(await state(), before);
  });
});

describe("rules that have never been in the kernel", () => {
  /** How often they were tried before they were installed. */
  async function trials(): Promise<number> {
    let count = 0;
    const firewall: Partial<Firewall> = {
      apply: async () => [],
      dryRun: async () => {
        count += 1;
      },
    };
    await createWall({
      sets,
      firewall: firewall as Firewall,
      dnsPort: 5053,
      queueNumber: 5353,
      hold: true,
      listBridges: () => [],
      ...quietHost(),
    }).applyRules();
    return count;
  }

  it("are tried first, also where a unit of the host has made the sets, empty", async () => {
    sets = createFakeSets(() => 0);
    createSets(sets);
    stayAwake(sets);
    assert.equal(await trials(), 1);
  });

  it("are not where an earlier run has filled them, also one of a version with fewer sets", async () => {
    for (const name of ["dockerwall-inside4", "dockerwall-audited6"]) sets.destroy(name);
    sets.add("dockerwall-guarded4", [
      { key: { kind: "net-iface", prefix: hostPrefix("198.19.1.2" as IpAddress), iface: "br-app" } },
    ]);
    assert.equal(await trials(), 0);
  });
});
