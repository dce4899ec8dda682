// What `stats` and `status` report while the clock of the host is set: a time daemon does that, and a virtual machine that
// is resumed.

import assert from "node:assert/strict";
import { beforeEach, describe, it, type TestContext } from "node:test";
import { createHistory, type History } from "../../../../src/control/history/history.ts";
import { createReporter, type Reporter } from "../../../../src/control/reporter.ts";
import type { Classification } from "../../../../src/core/classify/networks.ts";
import { setNames } from "../../../../src/core/firewall/names.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import { monotonicMs } from "../../../../src/edge/kernel/monotonic.ts";
import { createFakeSets, type FakeSets } from "../../../support/fake-sets.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../../support/topologies.ts";

const hourMs = 3_600_000;
const network = bridgeNetwork("g1", "198.18.1.0/24");
const asker = "198.18.1.2" as IpAddress;

function classified(guarded: Classification["guarded"], sinceMs: number): Classification {
  const containers = {
    ...{ services: [], guardedAddresses: [], unguarded: [], published: [], quarantined: [] },
    ...{ problems: [], warnings: [] },
  };
  return {
    ...{ guarded, within: [], openBridges: [], enslaved: new Set(), refused: [], warnings: [], containers },
    ...{ held: [{ bridge: "br-new", sinceMs }], problems: new Map() },
  };
}

let sets: FakeSets;
let history: History;
let reporter: Reporter;

beforeEach(() => {
  // Readings of the kernel that take no time have no rest.
  const nowMs = (): number => Math.floor(monotonicMs() / 1_000) * 1_000;
  sets = createFakeSets(nowMs);
  createSets(sets);
  const onFailure = (error: unknown): void => assert.ifError(error);
  history = createHistory({ sets, ttlSeconds: 300, nowMs, onFailure });
  reporter = createReporter({
    engineVersion: () => ({ version: "28.5.2", apiVersion: "1.51" }),
    ...{ backend: "nft", queues: [], nowMs, history, lifecycle: { state: "enforcing", sinceMs: nowMs() } },
    ...{ onStatement: () => undefined, onChange: () => undefined, overrides: () => [], slowed: [] },
    ...{ quarantined: () => new Set(), circles: () => [] },
  });
  reporter.onClassified({ networks: [], containers: [] }, classified([], nowMs()));
  const guarded = [{ ...guardedNetwork(network), bridge: "br-g1" }];
  const containers = [runningContainer("web", "g1", asker)];
  reporter.onClassified({ networks: [network], containers }, classified(guarded, nowMs()));
});

function attempt(port: number): void {
  const second = "203.0.113.9" as IpAddress;
  sets.hit(setNames.denied4, { kind: "ip-port-ip", first: asker, protocol: 6, port, second });
}

function setClock(t: TestContext, byMs: number): void {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + byMs });
}

/** What the host's clock says is old by less than a few seconds. */
function assertRecent(atMs: number | undefined): void {
  assert.ok(Math.abs(Date.now() - (atMs ?? 0)) < 5_000, `${atMs}, now ${Date.now()}`);
}

for (const [what, byMs] of [
  ["back", -hourMs],
  ["forward", 12 * hourMs],
] as const)
  describe(`a clock that is set ${what}`, () => {
    it("makes no denied connection vanish, and none older", async (t) => {
      attempt(443);
      setClock(t, byMs);
      attempt(444);
      const { networks, generatedAtMs } = await reporter.stats(async () => () => undefined);
      const drops = networks.flatMap((each) => each.drops);
      assert.deepEqual(
        drops.map(({ container, service }) => `${container} ${service}`),
        ["web tcp:443", "web tcp:444"],
      );
      for (const { lastSeenMs } of drops) assertRecent(lastSeenMs);
      assertRecent(generatedAtMs);
      assert.equal(sets.list(setNames.denied4).length, 2);
    });

    it("makes no lookup vanish, nor last", async (t) => {
      const event = { networkId: "g1", asker, domain: "www.example.com", allowed: true, granted: [] };
      history.record([{ ...event, atMs: monotonicMs() }]);
      setClock(t, byMs);
      const { networks } = await reporter.stats(async () => () => undefined);
      const [lookup, ...others] = networks.flatMap((each) => each.lookups);
      assert.deepEqual(others, []);
      assertRecent(lookup?.lastSeenMs);
    });

    it("changes nothing of how long a daemon has run, a network is guarded, and a bridge is held", (t) => {
      setClock(t, byMs);
      const { sinceMs, networks, held } = reporter.status();
      assert.deepEqual([networks.length, held.length], [1, 1]);
      for (const each of [sinceMs, networks[0]?.sinceMs, held[0]?.sinceMs]) assertRecent(each);
    });
  });
