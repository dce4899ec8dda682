// What `status` says of the daemon and its networks, and what is logged, as problems come and go.

import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { untilEnforced } from "../../../src/control/enforcement/until-enforced.ts";
import { createHistory } from "../../../src/control/history/history.ts";
import { createReporter, type Reporter } from "../../../src/control/reporter.ts";
import type { Classification, ClassifiedNetwork } from "../../../src/core/classify/networks.ts";
import { setSpecs } from "../../../src/core/firewall/sets.ts";
import type { DaemonState } from "../../../src/core/model/state.ts";
import type { ProblemPlace } from "../../../src/core/status/problems.ts";
import { createFakeSets } from "../../support/fake-sets.ts";
import { newContainer, unlabelled } from "../../support/topologies.ts";

const app: ClassifiedNetwork = {
  id: "n1",
  name: "app",
  bridge: "br-n1",
  subnets: [],
  gateways: [],
  lists: [],
  labels: unlabelled,
};

function classified(...problems: readonly string[]): Classification {
  return {
    guarded: [app],
    within: [],
    openBridges: [],
    enslaved: new Set(),
    held: [],
    refused: [],
    problems: new Map(problems.length === 0 ? [] : [["n1", problems]]),
    warnings: [],
    containers: {
      services: [],
      guardedAddresses: [],
      unguarded: [],
      published: [],
      quarantined: [],
      problems: [],
      warnings: [],
    },
  };
}

interface Watched {
  readonly reporter: Reporter;
  readonly logged: string[];
  readonly wells: boolean[];
  state: DaemonState;
  readonly clock: { nowMs: number };
  look(classification: Classification): void;
}

function watch(): Watched {
  const sets = createFakeSets(() => 0);
  for (const spec of setSpecs()) sets.create(spec);
  const logged: string[] = [];
  const wells: boolean[] = [];
  const clock = { nowMs: 0 };
  const reporter = createReporter({
    engineVersion: () => ({ version: "28.5.2", apiVersion: "1.51" }),
    backend: "nft",
    queues: [],
    nowMs: () => clock.nowMs,
    history: createHistory({ sets, ttlSeconds: 60, nowMs: () => 0, onFailure: () => undefined }),
    lifecycle: {
      get state() {
        return watched.state;
      },
      sinceMs: 0,
    },
    onStatement: ({ kind, sentence }) => logged.push(kind === "problem" ? sentence : `${kind}: ${sentence}`),
    onChange: (unwell) => wells.push(!unwell),
    overrides: () => [
      { target: { kind: "network", name: "app" }, entry: "a.example.com", endsAtMs: undefined },
    ],
    quarantined: () => new Set(["c1", "c2"]),
    slowed: [],
    circles: () => [],
  });
  const watched: Watched = {
    reporter,
    logged,
    wells,
    state: "enforcing",
    clock,
    look: (classification) => reporter.onClassified({ networks: [], containers: [] }, classification),
  };
  return watched;
}

describe("a network", () => {
  it("is in its state since a picture or a problem brought it there", () => {
    const { reporter, look, clock } = watch();
    const stand = (): string => {
      const { state, sinceMs } = reporter.status().networks[0] ?? assert.fail();
      return `${state} ${Math.round((sinceMs - reporter.status().startedMs) / 100) * 100}`;
    };
    const at = (nowMs: number, happens: () => void): string => {
      clock.nowMs = nowMs;
      happens();
      clock.nowMs += 500;
      return stand();
    };
    assert.equal(
      at(1_000, () => look(classified())),
      "not-enforced 1000",
    );
    assert.equal(
      at(2_000, () => reporter.onEnforced(["n1"])),
      "enforced 2000",
    );
    assert.equal(
      at(3_000, () => look(classified())),
      "enforced 2000",
    );
    assert.equal(
      at(4_000, () => reporter.onProblem("rules", "broken")),
      "not-enforced 4000",
    );
    assert.equal(
      at(5_000, () => reporter.clearProblem("rules")),
      "enforced 5000",
    );
  });

  const places: readonly [ProblemPlace, "enforced" | "not-enforced", healthy: boolean][] = [
    ["rules", "not-enforced", false],
    ["reconcile", "not-enforced", false],
    ["engine", "enforced", false],
    ["capture", "enforced", false],
    ["policy file", "enforced", true],
    ["ports", "enforced", true],
    ["sandboxes", "enforced", true],
    ["containers", "enforced", true],
  ];
  for (const [place, state, healthy] of places) {
    it(`is ${state} while there is a problem with: ${place}`, () => {
      const { reporter, look } = watch();
      look(classified());
      reporter.onEnforced(["n1"]);
      reporter.onProblem(place, "broken");
      const status = reporter.status();
      assert.deepEqual([status.networks[0]?.state, status.healthy], [state, healthy]);
      assert.equal(reporter.isEnforced("n1"), state === "enforced");
      reporter.clearProblem(place);
      assert.deepEqual([reporter.status().networks[0]?.state, reporter.isEnforced("n1")], ["enforced", true]);
    });
  }

  for (const place of ["rules", "reconcile"] as const)
    it(`is waited for until it is enforced, also by the end of a problem with: ${place}`, async (t) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      const { reporter, look } = watch();
      look(classified());
      reporter.onProblem(place, "broken");
      const waits = untilEnforced("n1", reporter);
      reporter.onEnforced(["n1"]);
      reporter.clearProblem(place);
      t.mock.timers.tick(10_000);
      await waits;
    });

  it("whose containers keep their own lookups from being captured leaves the daemon healthy, and unwell", () => {
    const { reporter, look, logged } = watch();
    look(classified());
    reporter.onEnforced(["n1"]);
    reporter.onSandboxes(2, "the lookups of 1 container(s) cannot be captured", false);
    const { healthy, capture } = reporter.status();
    assert.deepEqual([healthy, reporter.isUnwell()], [true, true]);
    assert.match(capture.problem ?? "", /1 container/);
    reporter.onSandboxes(0, "no sandbox can be captured", true);
    assert.equal(reporter.status().healthy, false);
    reporter.onSandboxes(3, undefined, false);
    assert.deepEqual([reporter.status().healthy, reporter.isUnwell()], [true, false]);
    assert.deepEqual(logged.at(-1), "solved: no sandbox can be captured");
  });

  it("is not enforced until the data plane decides by it", () => {
    const { reporter, look } = watch();
    look(classified());
    assert.equal(reporter.status().networks[0]?.state, "not-enforced");
    reporter.onEnforced(["n2"]);
    assert.equal(reporter.status().networks[0]?.state, "not-enforced");
    reporter.onEnforced(["n1"]);
    assert.equal(reporter.status().networks[0]?.state, "enforced");
  });

  it("with a mistake in its label leaves the daemon healthy, and unwell", () => {
    const { reporter, look, wells } = watch();
    look(classified('network "app": a bad entry'));
    assert.deepEqual([reporter.status().healthy, reporter.isUnwell(), wells.at(-1)], [true, true, false]);
    look(classified());
    assert.deepEqual([reporter.isUnwell(), wells.at(-1)], [false, true]);
  });

  it("has each of its problems logged when it is new, whatever it had before", () => {
    const { look, logged } = watch();
    for (const problems of [["one"], ["one"], ["one", "two"], ["two"], [], ["one"]])
      look(classified(...problems));
    assert.deepEqual(logged, ["one", "two", "solved: one", "solved: two", "one"]);
  });

  it("has a warning told as one, and what the daemon itself has as a problem that is solved", () => {
    const { look, reporter, logged } = watch();
    look({ ...classified(), warnings: ["wide"] });
    reporter.onProblem("engine", "away");
    reporter.onProblem("engine", "away");
    reporter.clearProblem("engine");
    reporter.clearProblem("engine");
    assert.deepEqual(logged, ["warning: wide", "away", "solved: away"]);
  });
});

describe("a wall that is gone", () => {
  for (const state of ["uninstalling", "uninstalled"] as const) {
    it(`has neither networks, overrides nor problems (${state})`, () => {
      const watched = watch();
      watched.look(classified("one"));
      watched.reporter.onProblem("engine", "broken");
      watched.state = state;
      const { networks, overrides, problems, warnings, held, healthy } = watched.reporter.status();
      assert.deepEqual(
        { networks, overrides, problems, warnings, held, healthy },
        {
          networks: [],
          overrides: [],
          problems: [],
          warnings: [],
          held: [],
          healthy: false,
        },
      );
    });
  }
});

test("status names who is in quarantine, by id who has not been read", () => {
  const { reporter } = watch();
  const containers = [{ ...newContainer("c1", "n1"), name: "web" }];
  reporter.onClassified({ networks: [], containers }, classified());
  assert.deepEqual(reporter.status().quarantined, ["c2", "web"]);
});
