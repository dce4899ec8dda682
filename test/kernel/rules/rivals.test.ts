// Other software that changes rules: what it does to a table that decides, again and again, makes the daemon unhealthy; what
// it puts before ours where nothing is decided does not.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { WallHealing } from "../../../src/control/enforcement/healing.ts";
import { ToldProblems } from "../../../src/control/reporter/told-problems.ts";
import { createWall } from "../../../src/control/wall.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { quietHost } from "../../support/policies.ts";

enterNamespaces(import.meta.url);

const times = 6;
const sets = openKernelSets();

for (const backend of ["nft", "legacy"] as const)
  describe(`rivals, iptables-${backend}`, { concurrency: 1 }, () => {
    const wall = createWall({
      sets,
      firewall: createFirewall(backend),
      ...{ dnsPort: 5053, queueNumber: 5353, hold: true, listBridges: () => [] },
      ...quietHost(),
    });
    const told = new ToldProblems(() => undefined);
    let putRight = 0;
    const healing = new WallHealing({
      wall,
      reporter: {
        onProblem: (place, problem) => told.note(place, problem),
        clearProblem: (place) => told.clear(place),
      },
      log: { warn: () => void putRight++ },
      mayWork: () => true,
      onInstalled: () => undefined,
      nowMs: monotonicMs,
    });

    async function disturb(...args: readonly string[]): Promise<void> {
      for (let time = 0; time < times; time++) {
        run(`iptables-${backend}`, "-w", ...args);
        await healing.heal();
        assert.equal(await wall.stands(), true);
      }
    }

    before(async () => {
      wall.classify({ networks: [], containers: [] });
      await healing.install();
    });
    after(() => wall.remove());

    for (const hook of ["INPUT", "OUTPUT", "FORWARD"])
      it(`that put rules before ours in filter ${hook} are put right, and no problem`, async () => {
        putRight = 0;
        await disturb("-t", "filter", "-I", hook, "1", "-p", "tcp", "--dport", "9", "-j", "ACCEPT");
        assert.equal(putRight, times);
        assert.ok(told.problems.areNone && told.problems.areBearable);
      });

    it("that empty a chain of ours are a problem of the daemon's health", async () => {
      await disturb("-t", "mangle", "-F", "DOCKERWALL-FORWARD");
      assert.equal(told.problems.areBearable, false);
      assert.match(told.problems.at("work: rules of others") ?? "", /again and again/);
    });
  });
