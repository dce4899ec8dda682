// What decides beside labels is known before a listener follows it, and a change that fails ends nothing.

import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { openPolicySources } from "../../../src/control/policy-sources.ts";
import type { Classification } from "../../../src/core/classify/networks.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import { createLog } from "../../../src/edge/host/log.ts";
import { createSets, destroySets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { epochMs, monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { createFakeSets } from "../../support/fake-sets.ts";
import { until } from "../../support/lab/command.ts";

const hourMs = 3_600_000;

function open(t: TestContext, file = "{}", nowMs: () => number = monotonicMs, name = "policy.yml") {
  const folder = mkdtempSync(join(tmpdir(), "dockerwall-sources-"));
  const policyFile = join(folder, "policy.yml");
  writeFileSync(join(folder, name), file);
  const sets = createFakeSets(nowMs);
  createSets(sets);
  const happened: string[] = [];
  const place = { path: policyFile, chosenBy: undefined };
  const sources = openPolicySources({ sets, policyFile: place, nowMs, log: createLog("error") });
  t.after(() => {
    sources[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });
  const listener = {
    onProblem: (problem: string | undefined) => void happened.push(problem ?? "well"),
    onWarning: (warning: string | undefined) => void happened.push(warning ?? "no warning"),
    onFailure: (error: unknown) => void happened.push(`failure: ${error}`),
    useOther: async () => void happened.push("decided anew"),
  };
  return { sets, sources, policyFile, happened, listener };
}

describe("the policy file", () => {
  it("is in force before a listener follows it, and a listener hears what is wrong with it", async (t) => {
    const good = open(t, "networks: {app: www.example.com}\n");
    assert.equal(good.sources.file().networks.get("app"), "www.example.com");
    good.sources.follow(good.listener);
    assert.deepEqual(good.happened, []);
    const bad = open(t, "networks: 5\n");
    bad.sources.follow(bad.listener);
    assert.equal(bad.happened.length, 1);
    assert.match(bad.happened[0] ?? "", /^policy file /);
  });

  it("that has another name is told of to a listener, until it has the right one", async (t) => {
    const { sources, policyFile, happened, listener } = open(t, "{}", monotonicMs, "policy.yaml");
    const policies = sources.follow(listener);
    assert.match(happened.join("\n"), /policy\.yaml is not read; rename it/);
    renameSync(policyFile.replace(/yml$/, "yaml"), policyFile);
    policies.look();
    assert.equal(happened.at(-1), "no warning");
    assert.equal(sources.isFileInForce(), false);
    await until("the file", 5_000, () => (sources.isFileInForce() ? true : undefined));
  });

  it("has everything decided anew when it changes, and ends nothing when that fails", async (t) => {
    const { sources, policyFile, happened, listener } = open(t);
    sources.follow({
      ...listener,
      useOther: () => {
        throw new Error("no");
      },
    });
    writeFileSync(policyFile, "networks: {app: www.example.com}\n");
    await until("the change", 5_000, () => (happened.length === 2 ? true : undefined));
    assert.deepEqual(happened, ["well", "failure: Error: no"]);
    assert.equal(sources.file().networks.get("app"), "www.example.com");
  });
});

describe("an override that ends", () => {
  it("is not in force any more, also when the kernel has no set to take it out of", async (t) => {
    const { sets, sources, happened, listener } = open(t);
    const policies = sources.follow(listener);
    const override = { target: { kind: "network", name: "app" }, entry: "www.example.com" } as const;
    sources.overrides.add([{ ...override, endsAtMs: monotonicMs() + 50 }]);
    policies.look();
    sets.destroy(setNames.overrides);
    await until("the end", 5_000, () => (happened.length === 2 ? true : undefined));
    assert.equal(happened[0], "decided anew");
    assert.match(happened[1] ?? "", /^failure: .*dockerwall-rules/);
    assert.deepEqual([sources.overrides.current(), sources.overrides.ended(monotonicMs())], [[], []]);
    // Nothing is left to fail again.
    policies.look();
    assert.equal(happened.length, 2);
  });

  it("has everything decided anew, at whichever moment of a look it ends", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    for (let endsAtMs = 10; endsAtMs < 30; endsAtMs++) {
      let now = 0;
      const { sources, happened, listener } = open(t, "{}", () => now++);
      const policies = sources.follow(listener);
      sources.overrides.add([{ target: { kind: "network", name: "app" }, entry: "a.example.com", endsAtMs }]);
      while (sources.overrides.nextEndMs() !== undefined) policies.look();
      assert.deepEqual(happened, ["decided anew"], `${endsAtMs}`);
    }
  });

  it("ends no sooner because the host's clock was set forward", (t) => {
    const { sources, listener } = open(t);
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const policies = sources.follow(listener);
    sources.overrides.add([
      { target: { kind: "network", name: "app" }, entry: "!a.example.com", endsAtMs: monotonicMs() + hourMs },
    ]);
    t.mock.timers.setTime(Date.now() + 12 * hourMs);
    policies.look();
    assert.equal(sources.overrides.current().length, 1);
  });

  it("ends no later because the host's clock was set back", async (t) => {
    const { sources, happened, listener } = open(t);
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const policies = sources.follow(listener);
    sources.overrides.add([
      { target: { kind: "network", name: "app" }, entry: "a.example.com", endsAtMs: monotonicMs() + 50 },
    ]);
    policies.look();
    t.mock.timers.setTime(Date.now() - 12 * hourMs);
    await until("the end", 5_000, () => (happened.length > 0 ? true : undefined));
    assert.equal(sources.overrides.current().length, 0);
  });

  it("ends on time also where the change that made it could not be put in force at once", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
    const { sources, happened, listener } = open(t, "{}", Date.now);
    let refuses = true;
    const useOther = async (): Promise<void> => {
      if (refuses) throw new Error("no");
      happened.push("decided anew");
    };
    const policies = sources.follow({ ...listener, useOther });
    await assert.rejects(
      policies.change(
        { verb: "allow", target: "app", entries: ["a.example.com"], forSeconds: 10 },
        {
          presets: sources.presets(),
          topology: { networks: [], containers: [] },
          classification: { guarded: [{ id: "n1", name: "app" }] } as unknown as Classification,
          uptimeMs: Date.now(),
        },
      ),
      /no/,
    );
    refuses = false;
    t.mock.timers.tick(10_100);
    assert.deepEqual(happened, ["decided anew"]);
    assert.deepEqual(sources.overrides.current(), []);
  });

  it("is reported in wall-clock time, as the host's clock stands now", (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const inAnHour = monotonicMs() + hourMs;
    t.mock.timers.setTime(Date.now() + 12 * hourMs);
    assert.ok(Math.abs(epochMs(inAnHour) - (Date.now() + hourMs)) < 1_000);
  });

  it("does nothing any more when all has been taken down before its command was answered", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
    const { sets, sources, happened, listener } = open(t, "{}", Date.now);
    const inForce = Promise.withResolvers<void>();
    const policies = sources.follow({ ...listener, useOther: () => inForce.promise });
    const answer = policies.change(
      { verb: "allow", target: "app", entries: ["a.example.com"], forSeconds: 10 },
      {
        presets: sources.presets(),
        topology: { networks: [], containers: [] },
        classification: { guarded: [{ id: "n1", name: "app" }] } as unknown as Classification,
        uptimeMs: Date.now(),
      },
    );
    sources[Symbol.dispose]();
    destroySets(sets);
    inForce.resolve();
    await answer;
    t.mock.timers.tick(60_000);
    assert.deepEqual(happened, []);
    assert.deepEqual(sets.names(), []);
  });
});
