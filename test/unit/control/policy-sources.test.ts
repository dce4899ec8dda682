import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { setTimeout } from "node:timers/promises";
import { openPolicySources, type PolicySources } from "../../../src/control/policy-sources.ts";
import type { OverrideTarget } from "../../../src/core/policy/override.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { epochMs, monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { createFakeSets } from "../../support/fake-sets.ts";

const app: OverrideTarget = { kind: "network", name: "app" };
const hour = 3_600_000;
const log = { debug() {}, info() {}, warn() {}, error() {} };

let policies: PolicySources;

beforeEach(() => {
  const sets = createFakeSets(() => monotonicMs());
  createSets(sets);
  policies = openPolicySources({
    sets,
    policyFile: "/nonexistent/policy.yml",
    log,
    onProblem: () => undefined,
    useOther: async () => undefined,
  });
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
});
afterEach(() => {
  mock.timers.reset();
  policies[Symbol.dispose]();
});

const inForce = (): readonly string[] => policies.rules.current().map(({ entry }) => entry);

describe("openPolicySources", () => {
  it("ends no rule sooner because the clock of the host was set forward", () => {
    policies.rules.add([{ target: app, entry: "!a.example.com", endsAtMs: monotonicMs() + hour }]);
    mock.timers.setTime(Date.now() + 12 * hour);
    policies.look();
    assert.deepEqual(inForce(), ["!a.example.com"]);
  });

  it("keeps no rule longer because the clock of the host was set back", async () => {
    policies.rules.add([{ target: app, entry: "a.example.com", endsAtMs: monotonicMs() + 50 }]);
    assert.deepEqual(inForce(), ["a.example.com"]);
    mock.timers.setTime(Date.now() - 12 * hour);
    await setTimeout(100);
    policies.look();
    assert.deepEqual(inForce(), []);
  });
});

describe("epochMs", () => {
  it("tells a moment by the clock of people as it stands now", () => {
    const inAnHour = monotonicMs() + hour;
    mock.timers.setTime(Date.now() + 12 * hour);
    assert.ok(Math.abs(epochMs(inAnHour) - (Date.now() + hour)) < 1_000);
  });
});
