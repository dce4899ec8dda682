import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { createOverrides, type Overrides } from "../../../src/control/overrides.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import type { Override, OverrideTarget } from "../../../src/core/policy/override.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { DockerwallError } from "../../../src/errors.ts";
import { createFakeSets, type FakeSets } from "../../support/fake-sets.ts";
import { flushSet } from "../../support/flush-set.ts";

const app: OverrideTarget = { kind: "network", name: "app" };
const web: OverrideTarget = { kind: "container", name: "web" };
const day = 86_400_000;

let now = 0;
let sets: FakeSets;
let rules: Overrides;

/** A daemon that finds what its predecessor left. */
function restart(): void {
  rules = createOverrides({ sets, nowMs: () => now });
}

function add(target: OverrideTarget, entry: string, seconds?: number): void {
  rules.add([{ target, entry, endsAtMs: seconds === undefined ? undefined : now + seconds * 1000 }]);
}

const texts = (list: readonly Override[]): readonly string[] =>
  list.map(({ target, entry, endsAtMs }) => `${target.name} ${entry}${endsAtMs ? ` until ${endsAtMs}` : ""}`);
const inKernel = (): readonly string[] => sets.list(setNames.rules).map(({ comment = "" }) => comment);

beforeEach(() => {
  now = 0;
  sets = createFakeSets(() => now);
  createSets(sets);
  restart();
});

describe("createOverrides", () => {
  it("keeps rules in the kernel, where a restart finds them", () => {
    add(app, "a.example.com:443");
    add(web, "!b.example.com", 60);
    add({ kind: "network", name: "my net" }, "@npm");
    assert.deepEqual(sets.dump(), [
      "dockerwall-rules 0.0.0.1/32 0 network app a.example.com:443",
      "dockerwall-rules 0.0.0.2/32 60 container web !b.example.com",
      "dockerwall-rules 0.0.0.3/32 0 network my net @npm",
    ]);
    now = 10_000;
    restart();
    assert.deepEqual(texts(rules.current()), [
      "app a.example.com:443",
      "web !b.example.com until 60000",
      "my net @npm",
    ]);
  });

  it("ends a rule on time, also while no daemon runs", () => {
    add(app, "a.example.com", 60);
    assert.equal(rules.nextEndMs(), 60_000);
    now = 59_999;
    assert.equal(rules.current().length, 1);
    assert.deepEqual(rules.expire(), []);
    now = 60_000;
    assert.deepEqual(rules.current(), []);
    assert.deepEqual(texts(rules.expire()), ["app a.example.com until 60000"]);
    assert.deepEqual(rules.expire(), []);
    assert.equal(rules.nextEndMs(), undefined);
    add(app, "a.example.com", 60);
    now = 200_000;
    restart();
    assert.deepEqual(rules.current(), []);
  });

  it("renews a rule, for longer, shorter or without end", () => {
    add(app, "a.example.com", 60);
    add(app, "a.example.com", 30);
    assert.deepEqual(texts(rules.current()), ["app a.example.com until 30000"]);
    add(app, "a.example.com");
    assert.deepEqual(texts(rules.current()), ["app a.example.com"]);
    assert.equal(inKernel().length, 1);
    assert.equal(rules.nextEndMs(), undefined);
  });

  it("puts a rule in the place of its opposite, for this target alone", () => {
    add(app, "a.example.com");
    add(web, "a.example.com");
    add(app, "!a.example.com");
    assert.deepEqual(texts(rules.current()), ["web a.example.com", "app !a.example.com"]);
    add(app, "a.example.com", 60);
    assert.deepEqual(inKernel().toSorted(), ["container web a.example.com", "network app a.example.com"]);
  });

  it("tells a network from a container of the same name", () => {
    add(app, "a.example.com");
    add({ kind: "container", name: "app" }, "a.example.com");
    rules.remove(app, ["a.example.com"]);
    assert.deepEqual(inKernel(), ["container app a.example.com"]);
  });

  it("takes back what was allowed and what was denied", () => {
    add(app, "a.example.com");
    add(app, "!b.example.com");
    rules.remove(app, ["a.example.com", "b.example.com"]);
    assert.deepEqual(rules.current(), []);
    assert.deepEqual(sets.dump(), []);
  });

  it("takes nothing back when one of them was not made, and names it", () => {
    add(app, "a.example.com");
    assert.throws(
      () => rules.remove(app, ["a.example.com", "b.example.com"]),
      (error) =>
        error instanceof DockerwallError &&
        error.code === "NOT_FOUND" &&
        /no command made a rule of "b\.example\.com" for app/.test(error.message),
    );
    assert.equal(rules.current().length, 1);
  });

  it("makes none of several when one is too long to be kept", () => {
    const long = `${"a".repeat(60)}.`.repeat(4);
    const both = ["a.example.com", `${long}example.com`].map((entry) => ({
      target: app,
      entry,
      endsAtMs: undefined,
    }));
    assert.throws(() => rules.add(both), /is too long to be kept; put it into a label or the policy file/);
    assert.deepEqual(rules.current(), []);
    assert.deepEqual(sets.dump(), []);
  });

  it("refuses what the kernel would end too early", () => {
    assert.throws(() => add(app, "!a.example.com", 25 * 86_400), /24 days at most; leave --for out/);
    add(app, "!a.example.com", 24 * 86_400);
    now = 23 * day;
    restart();
    assert.deepEqual(texts(rules.current()), [`app !a.example.com until ${24 * day}`]);
  });

  it("refuses more than it can keep, and takes numbers that are free again", () => {
    for (let index = 0; index < 300; index++) add(app, `a${index}.example.com`);
    assert.ok(sets.dump().some((line) => line.startsWith("dockerwall-rules 0.0.1.44/32 ")));
    rules.remove(app, ["a7.example.com"]);
    add(app, "again.example.com");
    assert.ok(sets.dump().includes("dockerwall-rules 0.0.0.8/32 0 network app again.example.com"));
    const many = Array.from({ length: 3701 }, (_, index) => ({
      target: app,
      entry: `b${index}.example.com`,
      endsAtMs: undefined,
    }));
    assert.throws(() => rules.add(many), /there are 300 rules already/);
    assert.equal(rules.current().length, 300);
  });

  it("puts back what somebody took out of the kernel, and only that", () => {
    add(app, "a.example.com");
    add(app, "b.example.com", 60);
    const before = sets.dump();
    flushSet(sets, setNames.rules);
    rules.restore();
    assert.deepEqual(sets.dump(), before);
    now = 30_000;
    sets.del(
      setNames.rules,
      sets
        .list(setNames.rules)
        .slice(1)
        .map(({ key }) => key),
    );
    rules.restore();
    assert.deepEqual(sets.dump(), [
      "dockerwall-rules 0.0.0.1/32 0 network app a.example.com",
      "dockerwall-rules 0.0.0.2/32 30 network app b.example.com",
    ]);
  });

  it("passes over what is no rule of ours", () => {
    sets.add(setNames.rules, [
      { key: { kind: "net", prefix: { address: "0.0.0.9" as never, length: 32 } }, comment: "hello" },
    ]);
    restart();
    assert.deepEqual(rules.current(), []);
  });
});
