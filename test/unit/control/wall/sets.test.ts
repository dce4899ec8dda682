// The sets follow the last picture, also after they were destroyed, and keep an earlier run's entries until all is read.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { readQuarantine } from "../../../../src/control/quarantine.ts";
import { Quarantines } from "../../../../src/control/wall/quarantines.ts";
import { WallSets, type WallSetsOptions } from "../../../../src/control/wall/sets.ts";
import { nothingFound } from "../../../../src/core/classify/bridge-ports.ts";
import { hostPrefix, type IpAddress, renderPrefix } from "../../../../src/core/model/address.ts";
import type { Network, Topology } from "../../../../src/core/model/topology.ts";
import { createSets, destroySets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets, type FakeSets } from "../../../support/fake-sets.ts";
import { labelsOnly } from "../../../support/policies.ts";
import { bridgeNetwork, runningContainer } from "../../../support/topologies.ts";

const app = { ...bridgeNetwork("app", "198.19.1.0/24"), labels: { "dockerwall.allow": "" } };
const picture: Topology = { networks: [app], containers: [] };
const nothing: Topology = { networks: [], containers: [] };

let bridges: readonly string[];
let readAtMs: number;
let master: string | undefined;
let enslaved: readonly string[];
let nowMs: number;
let sets: FakeSets;
let filled: WallSets;
let wayOut: string | undefined;
/** Ranges whose flows were forgotten. */
let forgotten: string[];

const options = (): WallSetsOptions => ({
  sets,
  listBridges: () => bridges,
  lookAtBridges: () => (bridge) => ({
    ...nothingFound,
    master: enslaved.includes(bridge) ? master : undefined,
    isWayOut: bridge === wayOut,
  }),
  forgetUnjudged: (ranges) => forgotten.push(...ranges.map(renderPrefix)),
  uptimeMs: () => nowMs,
  networksReadAtMs: () => readAtMs,
  ...labelsOnly(),
  hold: true,
  adopted: false,
  quarantines: new Quarantines([]),
});

beforeEach(() => {
  [bridges, readAtMs, nowMs] = [["br-app"], 0, 0];
  [master, enslaved, wayOut] = [undefined, ["br-app"], undefined];
  forgotten = [];
  sets = createFakeSets(() => 0);
  createSets(sets);
  filled = new WallSets(options());
});

const guarded = (): number => sets.list("dockerwall-guarded4").length;

describe("the sets of the wall", () => {
  const follow = (given: Topology, on = filled): readonly string[] => on.classify(given).containers.problems;
  const audited = {
    ...picture,
    networks: [{ ...app, labels: { ...app.labels, "dockerwall.mode": "audit" } }],
  };

  it("have flows forgotten in what is judged from now on, and once only", () => {
    follow(picture);
    assert.deepEqual(forgotten, []);
    filled.useRules(true);
    assert.deepEqual(forgotten, ["198.19.1.0/24"]);
    follow(picture);
    filled.restore();
    filled.useRules(true);
    assert.equal(forgotten.length, 1);
    destroySets(sets);
    filled.restore();
    assert.equal(forgotten.length, 1, "there are no rules any more");
    filled.useRules(true);
    assert.equal(forgotten.length, 2);
    follow(nothing);
    follow(picture);
    assert.equal(forgotten.length, 3);
  });

  it("have flows forgotten of a network that leaves audit mode", () => {
    filled.useRules(true);
    follow(audited);
    assert.deepEqual(forgotten, []);
    follow(picture);
    assert.equal(forgotten.length, 1);
    follow(audited);
    follow(picture);
    assert.equal(forgotten.length, 2);
  });

  it("have none forgotten that an earlier run has judged", () => {
    follow(picture);
    const next = new WallSets({ ...options(), adopted: true });
    next.useRules(true);
    follow(picture, next);
    assert.deepEqual(forgotten, []);
  });

  it("tell of flows that are not forgotten, and try again", () => {
    let refusals = 1;
    const failing = new WallSets({
      ...options(),
      forgetUnjudged() {
        if (refusals-- > 0) throw new Error("EBUSY");
      },
    });
    failing.useRules(true);
    assert.match(follow(picture, failing).join(), /198\.19\.1\.0\/24.*EBUSY/);
    assert.deepEqual(follow(picture, failing), []);
  });

  it("are made and filled again as they were last", () => {
    assert.deepEqual(
      filled.classify(picture).guarded.map(({ name }) => name),
      ["app"],
    );
    assert.equal(guarded(), 1);
    destroySets(sets);
    filled.restore();
    assert.equal(guarded(), 1);
  });

  it("close a network whose bridge is part of another device, as long as it is", () => {
    const problems = (): string => [...filled.classify(picture).problems.values()].flat().join();
    assert.deepEqual([problems(), guarded()], ["", 1]);
    master = "vrf0";
    assert.match(problems(), /^network "app": its bridge br-app is part of vrf0 /);
    assert.deepEqual([guarded(), sets.list("dockerwall-closed4-0").length], [0, 1]);
    master = undefined;
    assert.deepEqual([problems(), guarded()], ["", 1]);
  });

  it("tell of an open network whose bridge is part of another device, if a guarded container is on it", () => {
    const plain = bridgeNetwork("plain", "198.19.2.0/24");
    const on = (...networks: readonly Network[]): Topology => {
      const all = networks.map(({ id }, index) => runningContainer("web", id, `198.19.9.${index + 1}`));
      const [web] = all;
      const endpoints = all.flatMap((each) => each.endpoints);
      return { networks: [app, plain], containers: web === undefined ? [] : [{ ...web, endpoints }] };
    };
    const problems = (topology: Topology): readonly string[] => [
      ...(filled.classify(topology).problems.get(plain.id) ?? []),
    ];
    assert.deepEqual(problems(on(app, plain)), []);
    [master, enslaved] = ["vrf0", ["br-plain"]];
    assert.deepEqual([problems(on(plain)), problems(on(app))], [[], []]);
    assert.match(
      problems(on(app, plain)).join(),
      /^network "plain": its bridge br-plain is part of vrf0 .*web/,
    );
  });

  it("keep what an earlier run put there until everything has been read", () => {
    const kept = (): number => sets.list("dockerwall-static4").length;
    sets.add("dockerwall-static4", [
      { key: { kind: "net", prefix: hostPrefix("203.0.113.7" as IpAddress) }, comment: "" },
    ]);
    filled.classify(nothing);
    assert.equal(kept(), 1);
    filled.becomeComplete();
    filled.classify(nothing);
    assert.equal(kept(), 0);
  });

  it("say that a bridge is gone once the engine has had time to tell that its network is", () => {
    const problems = (): number => filled.classify(picture).problems.size;
    assert.equal(problems(), 0);
    bridges = [];
    nowMs = 1_000;
    assert.deepEqual([problems(), filled.awaitsReading()], [0, false]);
    nowMs = 3_000;
    assert.deepEqual([problems(), filled.awaitsReading()], [0, true]);
    readAtMs = 2_999;
    assert.deepEqual([problems(), filled.awaitsReading()], [0, true]);
    readAtMs = 3_000;
    assert.deepEqual([problems(), filled.awaitsReading()], [1, false]);
    assert.equal(problems(), 1);
    bridges = ["br-app"];
    assert.equal(problems(), 0);
    // As at the end of a network.
    bridges = [];
    nowMs = 10_000;
    assert.equal(problems(), 0);
    assert.equal(filled.classify(nothing).problems.size, 0);
    assert.equal(filled.awaitsReading(), false);
  });

  it("leave out the bridge of the host's default route, also while that is gone, until bridge or network is new", () => {
    const problem = (): string | undefined => filled.classify(picture).problems.get(app.id)?.join();
    wayOut = "br-app";
    assert.match(problem() ?? "", /cannot be guarded: its bridge br-app has the host's default route, and/);
    wayOut = undefined;
    assert.match(
      problem() ?? "",
      /has the host's default route \(gone by now, but it may come back: restart the daemon if it will not\), and/,
    );
    assert.equal(guarded(), 0);
    wayOut = "br-app";
    assert.match(problem() ?? "", /cannot be guarded/);
    assert.equal(guarded(), 0);
    wayOut = undefined;
    filled.classify({ networks: [{ ...app, id: "another" }], containers: [] });
    assert.equal(guarded(), 1);
    destroySets(sets);
    wayOut = "br-app";
    assert.match(problem() ?? "", /stays guarded/);
    assert.equal(guarded(), 1);
  });

  it("leave it out until the bridge is made anew", () => {
    wayOut = "br-app";
    filled.classify(picture);
    wayOut = undefined;
    bridges = [];
    filled.classify(picture);
    bridges = ["br-app"];
    filled.classify(picture);
    assert.equal(guarded(), 1);
  });

  it("remember who is in quarantine by the ids of containers, not of sandboxes", () => {
    const entry = (address: string, comment: string) => ({
      key: { kind: "net" as const, prefix: hostPrefix(address as IpAddress) },
      comment,
    });
    sets.add("dockerwall-quarantine4", [entry("198.19.1.2", "c1"), entry("198.19.1.3", "sandbox:s1")]);
    sets.add("dockerwall-quarantine6", [entry("2001:db8::2", "c1")]);
    assert.deepEqual(readQuarantine(sets), [{ id: "c1", name: undefined }]);
  });
});
