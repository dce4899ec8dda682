// What a status says of problems, networks and their time.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Classification, ClassifiedNetwork } from "../../../../src/core/classify/networks.ts";
import { networkStandings, networkStatuses, unlistedProblems } from "../../../../src/core/status/networks.ts";
import { type ProblemPlace, Problems } from "../../../../src/core/status/problems.ts";
import { buildStatus, isUnwell, type StatusFacts } from "../../../../src/core/status/status.ts";
import { bridgeNetwork, guardedNetwork } from "../../../support/topologies.ts";

const guarded = (id: string, subnet: string): ClassifiedNetwork => ({
  ...guardedNetwork(bridgeNetwork(id, subnet)),
  bridge: `br-${id}`,
});
const app = guarded("app", "198.19.1.0/24");
const web = guarded("web", "198.19.2.0/24");

function classified(change: Partial<Classification> = {}): Classification {
  return {
    guarded: [app, web],
    within: [],
    openBridges: [],
    enslaved: new Set(),
    held: [{ bridge: "br-new", sinceMs: 500 }],
    refused: [bridgeNetwork("far")],
    problems: new Map([["open", ["a slip"]]]),
    warnings: ["wide"],
    containers: {
      services: [],
      published: [],
      guardedAddresses: [],
      unguarded: [],
      quarantined: [],
      problems: [],
      warnings: ["hazard"],
    },
    ...change,
  };
}

function facts(change: Partial<StatusFacts> = {}): StatusFacts {
  return {
    state: "degraded",
    version: "1",
    sinceMs: 1_000,
    engine: undefined,
    backend: "nft",
    resolver: undefined,
    counters: [],
    overrides: [],
    quarantined: [],
    startedMs: 500,
    standings: new Map([["app", { state: "enforced", sinceMs: 2_000 }]]),
    problems: new Problems(),
    classification: classified(),
    adopted: new Set(["app"]),
    sandboxes: 0,
    warnings: ["full"],
    epochMs: (ms) => 10_000 + ms,
    ...change,
  };
}

const noted = (...places: readonly ProblemPlace[]): Problems => {
  const problems = new Problems();
  for (const place of places) problems.note(place, `no ${place}`);
  return problems;
};

describe("problems", () => {
  it("are news where their place had none, or another", () => {
    const problems = new Problems();
    assert.deepEqual(
      [problems.note("engine", "gone"), problems.note("engine", "gone"), problems.note("engine", "slow")],
      [true, false, true],
    );
    assert.deepEqual(
      [problems.at("engine"), problems.clear("engine"), problems.clear("engine")],
      ["slow", true, false],
    );
    assert.ok(problems.areNone);
  });

  const cases: readonly [ProblemPlace, areBearable: boolean, areDecisive: boolean][] = [
    ["rules", false, true],
    ["reconcile", false, true],
    ["engine", false, false],
    ["work: x", false, false],
    ["ports", true, false],
    ["policy file", true, false],
  ];
  for (const [place, bearable, decisive] of cases)
    it(`with ${place} are ${bearable ? "" : "not "}bearable, and ${decisive ? "" : "not "}decisive`, () => {
      const problems = noted(place, "containers");
      assert.deepEqual([problems.areBearable, problems.areDecisive], [bearable, decisive]);
      assert.deepEqual(problems.except(place), ["no containers"]);
    });
});

describe("networks", () => {
  const states = (change: Partial<StatusFacts>): readonly string[] =>
    buildStatus(facts(change)).networks.map(({ name, state }) => `${name} ${state}`);

  it("are enforced where the data plane has adopted them, and the kernel takes what it should hold", () => {
    assert.deepEqual(states({}), ["app enforced", "web not-enforced", "far refused"]);
    assert.deepEqual(states({ problems: noted("rules") }), [
      "app not-enforced",
      "web not-enforced",
      "far refused",
    ]);
    assert.deepEqual(states({ state: "starting" }), []);
    assert.deepEqual(states({ classification: undefined }), []);
  });

  it("count from when they came into their state", () => {
    const standingsOf = (
      enforced: readonly string[],
      nowMs: number,
      before: ReturnType<typeof networkStandings> = new Map(),
    ) => networkStandings(before, { classification: classified(), enforced: new Set(enforced) }, nowMs);
    const first = standingsOf(["app"], 1);
    const last = standingsOf(["app", "web"], 5, first);
    const sinceOf = (standings: typeof first): readonly string[] =>
      [...standings].map(([id, { state, sinceMs }]) => `${id} ${state} ${sinceMs}`).sort();
    assert.deepEqual(sinceOf(first), ["app enforced 1", "far refused 1", "web not-enforced 1"]);
    assert.deepEqual(sinceOf(last), ["app enforced 1", "far refused 1", "web enforced 5"]);
    const statuses = networkStatuses({
      classification: classified(),
      enforced: new Set(["app", "web"]),
      standings: last,
      startedMs: 0,
      epochMs: (ms) => 10 + ms,
    });
    assert.deepEqual(
      statuses.map(({ id, sinceMs }) => `${id} ${sinceMs}`),
      ["app 11", "web 15", "far 11"],
    );
  });
});

describe("a status", () => {
  it("tells since when the daemon is in its state, and when it started", () => {
    const { sinceMs, startedMs } = buildStatus(facts());
    assert.deepEqual([sinceMs, startedMs], [11_000, 10_500]);
  });

  it("lists problems of networks that are not listed, and every warning", () => {
    const { problems, warnings, held } = buildStatus(facts({ problems: noted("capture", "engine") }));
    assert.deepEqual(problems, ["no engine", "a slip"]);
    assert.deepEqual(warnings, ["full", "wide", "hazard"]);
    assert.deepEqual(held, [{ bridge: "br-new", sinceMs: 10_500 }]);
    assert.deepEqual(unlistedProblems(classified({ problems: new Map([["app", ["bad entry"]]]) })), []);
  });

  it("is unwell by any problem, of whatever is listed or not", () => {
    const well = classified({ problems: new Map() });
    const cases: readonly [Partial<StatusFacts>, boolean][] = [
      [{ classification: well }, false],
      [{ classification: undefined }, false],
      [{}, true],
      [{ classification: well, problems: noted("ports") }, true],
      [{ classification: classified({ problems: new Map([["app", ["bad entry"]]]) }) }, true],
      [{ classification: { ...well, containers: { ...well.containers, problems: ["bad label"] } } }, true],
    ];
    for (const [change, expected] of cases) assert.equal(isUnwell(facts(change)), expected);
  });
});
