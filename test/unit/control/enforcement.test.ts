// What the control plane says and tells of a picture that the data plane does not take.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEnforcement } from "../../../src/control/enforcement.ts";
import { createLifecycle } from "../../../src/control/lifecycle.ts";
import type { Reporter } from "../../../src/control/reporter.ts";
import type { Wall } from "../../../src/control/wall.ts";
import type { Classification } from "../../../src/core/classify/networks.ts";
import { readCounters } from "../../../src/core/counters/registry.ts";
import type { Readings, Topology } from "../../../src/core/model/topology.ts";
import { createLog } from "../../../src/edge/host/log.ts";
import type { DataPlaneLink } from "../../../src/planes/link.ts";
import { countedSince } from "../../support/counted.ts";

const classification: Classification = {
  guarded: [],
  within: [],
  openBridges: [],
  enslaved: new Set(),
  held: [],
  refused: [],
  problems: new Map(),
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

interface Given {
  readonly isReading?: () => boolean;
  readonly onClassify?: () => void;
  readonly cleanOther?: () => Promise<void>;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Beside the readings that are told. */
const happenedIn = (read: () => readonly string[]): readonly string[] =>
  read().filter((what) => what !== "readings");

function start(
  guardsPorts = false,
  { isReading = () => false, onClassify = () => undefined, cleanOther = async () => undefined }: Given = {},
) {
  const happened: string[] = [];
  let does: "takes" | "refuses" | "hangs" = "takes";
  let demanded = false;
  /** Whether the rules demand senders; undefined before there are any. */
  let inForce: boolean | undefined;
  let topology: Topology = { networks: [], containers: [] };
  const quarantine = new Set<string>();
  const readings: Readings = { listedAtMs: 1, readAtMs: new Map() };
  const dataPlane: Partial<DataPlaneLink> = {
    post: async () => {
      happened.push({ takes: "taken", refuses: "refused", hangs: "posted" }[does]);
      if (does === "refuses") throw new Error("no");
      if (does === "hangs") await new Promise(() => undefined);
    },
    tellReadings: () => void happened.push("readings"),
    holdUnsettled: () => undefined,
  };
  const reporter: Partial<Reporter> = {
    onClassified: () => undefined,
    onEnforced: () => void happened.push("enforced"),
    onProblem: (place) => void happened.push(`problem: ${place}`),
    clearProblem: (place) => void happened.push(`well: ${place}`),
  };
  const wall: Partial<Wall> = {
    classify() {
      onClassify();
      return classification;
    },
    followParts: () => false,
    quarantine,
    cleanOther,
    applyRules: async () => {
      const changed = inForce === demanded ? [] : ([4, 6] as const);
      inForce = demanded;
      return changed.map((family) => ({ family, tables: ["raw"] }));
    },
    demandSenders() {
      if (demanded) return false;
      demanded = true;
      return true;
    },
  };
  const enforcement = createEnforcement({
    wall: wall as Wall,
    lifecycle: createLifecycle(
      () => undefined,
      () => 0,
    ),
    reporter: reporter as Reporter,
    log: createLog("error"),
    inventory: { current: () => topology, readings: () => readings, isReading },
    beforePost: () => undefined,
    dataPlane: () => dataPlane as DataPlaneLink,
    guardsPorts,
    nowMs: () => 0,
    takenWithinMs: 20,
  });
  enforcement.usePicture();
  return {
    enforcement,
    quarantine,
    /** Other software takes the rules away. */
    flush() {
      inForce = undefined;
    },
    /** What happens in one more round. */
    async round(data: typeof does, picture: "same" | "other"): Promise<readonly string[]> {
      does = data;
      if (picture === "other") topology = { networks: [], containers: [] };
      await enforcement.reconcile();
      return happened.splice(0);
    },
    /** What happens when more has been read. */
    read(): readonly string[] {
      enforcement.tellReadings();
      return happened.splice(0);
    },
  };
}

describe("a picture that the data plane refuses", () => {
  it("is a problem until it is taken, without a moment of being well in between", async () => {
    const { round } = start();
    assert.deepEqual(await round("takes", "other"), ["taken", "readings", "enforced", "well: reconcile"]);
    assert.deepEqual(await round("refuses", "other"), ["refused", "problem: reconcile"]);
    assert.deepEqual(await round("refuses", "same"), ["refused", "problem: reconcile"]);
    assert.deepEqual(await round("takes", "same"), ["taken", "readings", "enforced", "well: reconcile"]);
    assert.deepEqual(await round("refuses", "same"), ["well: reconcile"]);
  });

  it("has no readings told that are of it: they would say that nobody is missing in the one in use", async () => {
    const { round, read } = start();
    await round("takes", "other");
    assert.deepEqual(read(), ["readings"]);
    await round("refuses", "other");
    assert.deepEqual(read(), []);
    await round("takes", "same");
    assert.deepEqual(read(), ["readings"]);
  });
});

describe("the other iptables variant", () => {
  it("is cleaned by one run at a time, and is waited for", async () => {
    const happened: string[] = [];
    let end = (): void => undefined;
    const { enforcement } = start(false, {
      cleanOther: async () => {
        happened.push("begun");
        await new Promise<void>((resolve) => {
          end = resolve;
        });
        happened.push("over");
      },
    });
    const asked = [enforcement.cleanOther(), enforcement.cleanOther(), enforcement.cleanOther()];
    const idle = enforcement.idle().then(() => happened.push("idle"));
    await turn();
    assert.deepEqual(happened, ["begun"]);
    end();
    await turn();
    assert.deepEqual(happened, ["begun", "over", "begun"]);
    end();
    await Promise.all([...asked, idle]);
    assert.deepEqual(happened, ["begun", "over", "begun", "over", "idle"]);
  });

  it("is a problem while it cannot be cleaned, counted each time", async () => {
    let refuses = true;
    const { enforcement, read } = start(false, {
      cleanOther: () => (refuses ? Promise.reject(new Error("no")) : Promise.resolve()),
    });
    const before = readCounters();
    for (const _ of ["once", "twice"]) await enforcement.cleanOther();
    const problem = "problem: work: the other iptables variant";
    assert.deepEqual(happenedIn(read), [problem, problem]);
    assert.deepEqual(countedSince(before), { contained_failures: 2 });
    refuses = false;
    await enforcement.cleanOther();
    assert.deepEqual(happenedIn(read), ["well: work: the other iptables variant"]);
  });
});

describe("pictures while containers are being read", () => {
  it("leave the reading four times what they take", async () => {
    const roundMs = 10;
    const begunAtMs: number[] = [];
    const { enforcement } = start(false, {
      isReading: () => true,
      onClassify() {
        begunAtMs.push(performance.now());
        while (performance.now() < (begunAtMs.at(-1) ?? 0) + roundMs);
      },
    });
    begunAtMs.length = 0;
    await Promise.all([enforcement.reconcile(), enforcement.reconcile(), enforcement.reconcile()]);
    const [first = 0, second = 0, ...others] = begunAtMs;
    assert.deepEqual(others, []);
    assert.ok(second - first >= 5 * roundMs - 1, `${second - first}`);
  });
});

describe("a picture that is the same", () => {
  it("is posted again when others are in quarantine: one that is gone would keep those beside it unknown", async () => {
    const { round, quarantine } = start();
    quarantine.add("gone");
    await round("takes", "other");
    assert.deepEqual(await round("takes", "same"), ["well: reconcile"]);
    quarantine.delete("gone");
    assert.deepEqual(await round("takes", "same"), ["taken", "readings", "enforced", "well: reconcile"]);
    assert.deepEqual(await round("takes", "same"), ["well: reconcile"]);
  });
});

describe("a picture that the data plane does not answer", () => {
  it("is a problem after a while, is posted again, and holds nothing up", async () => {
    const { round } = start();
    assert.deepEqual(await round("hangs", "other"), ["posted", "problem: reconcile"]);
    assert.deepEqual(await round("hangs", "same"), ["posted", "problem: reconcile"]);
    assert.deepEqual(await round("takes", "same"), ["taken", "readings", "enforced", "well: reconcile"]);
  });
});

describe("rules", () => {
  it("that demand senders from now on are no rules that others had changed", async () => {
    const { enforcement, round, flush, read } = start(true);
    const before = readCounters();
    await enforcement.install();
    read();
    assert.deepEqual(await round("takes", "other"), [
      "taken",
      "readings",
      "well: rules",
      "enforced",
      "well: reconcile",
    ]);
    assert.deepEqual(countedSince(before), {});
    flush();
    await enforcement.heal();
    assert.deepEqual(read(), ["well: rules", "readings"]);
    assert.deepEqual(countedSince(before), { "rules_put_right IPv4": 1, "rules_put_right IPv6": 1 });
  });
});
