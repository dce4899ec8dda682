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
let overrides: Overrides;

/** A daemon that finds what its predecessor left. */
function restart(): void {
  overrides = createOverrides({ sets, nowMs: () => now });
}

function add(target: OverrideTarget, entry: string, seconds?: number): void {
  overrides.add([{ target, entry, endsAtMs: seconds === undefined ? undefined : now + seconds * 1000 }]);
}

const texts = (list: readonly Override[]): readonly string[] =>
  list.map(({ target, entry, endsAtMs }) => `${target.name} ${entry}${endsAtMs ? ` until ${endsAtMs}` : ""}`);
const kept = (): readonly string[] => sets.dump().filter((line) => line.startsWith(setNames.overrides));
const inKernel = (): readonly string[] => sets.list(setNames.overrides).map(({ comment = "" }) => comment);

beforeEach(() => {
  now = 0;
  sets = createFakeSets(() => now);
  createSets(sets);
  restart();
});

describe("createOverrides", () => {
  it("keeps overrides in the kernel, where a restart finds them", () => {
    add(app, "a.example.com:443");
    add(web, "!b.example.com", 60);
    add({ kind: "network", name: "my net" }, "@npm");
    assert.deepEqual(kept(), [
      "dockerwall-rules 0.0.0.1/32 0 network app a.example.com:443",
      "dockerwall-rules 0.0.0.2/32 60 container web !b.example.com",
      "dockerwall-rules 0.0.0.3/32 0 network my net @npm",
    ]);
    now = 10_000;
    restart();
    assert.deepEqual(texts(overrides.current()), [
      "app a.example.com:443",
      "web !b.example.com until 60000",
      "my net @npm",
    ]);
  });

  it("ends an override on time, also while no daemon runs", () => {
    add(app, "a.example.com", 60);
    assert.equal(overrides.nextEndMs(), 60_000);
    now = 59_999;
    assert.equal(overrides.current().length, 1);
    assert.deepEqual(overrides.expire(now), []);
    now = 60_000;
    assert.deepEqual(overrides.current(), []);
    assert.deepEqual(texts(overrides.expire(now)), ["app a.example.com until 60000"]);
    assert.deepEqual(overrides.expire(now), []);
    assert.equal(overrides.nextEndMs(), undefined);
    add(app, "a.example.com", 60);
    now = 200_000;
    restart();
    assert.deepEqual(overrides.current(), []);
  });

  it("renews an override, for longer, shorter or without end", () => {
    add(app, "a.example.com", 60);
    add(app, "a.example.com", 30);
    assert.deepEqual(texts(overrides.current()), ["app a.example.com until 30000"]);
    add(app, "a.example.com");
    assert.deepEqual(texts(overrides.current()), ["app a.example.com"]);
    assert.equal(inKernel().length, 1);
    assert.equal(overrides.nextEndMs(), undefined);
  });

  it("puts an override in the place of its opposite, for this target alone", () => {
    add(app, "a.example.com");
    add(web, "a.example.com");
    add(app, "!a.example.com");
    assert.deepEqual(texts(overrides.current()), ["web a.example.com", "app !a.example.com"]);
    add(app, "a.example.com", 60);
    assert.deepEqual(inKernel().toSorted(), ["container web a.example.com", "network app a.example.com"]);
  });

  it("tells a network from a container of the same name", () => {
    add(app, "a.example.com");
    add({ kind: "container", name: "app" }, "a.example.com");
    overrides.remove(app, ["a.example.com"]);
    assert.deepEqual(inKernel(), ["container app a.example.com"]);
  });

  it("takes back what was allowed and what was denied", () => {
    add(app, "a.example.com");
    add(app, "!b.example.com");
    overrides.remove(app, ["a.example.com", "b.example.com"]);
    assert.deepEqual(overrides.current(), []);
    assert.deepEqual(kept(), []);
  });

  it("takes nothing back when one of them was not made, and names it", () => {
    add(app, "a.example.com");
    assert.throws(
      () => overrides.remove(app, ["a.example.com", "b.example.com"]),
      (error) =>
        error instanceof DockerwallError &&
        error.code === "NOT_FOUND" &&
        /app has no override for "b\.example\.com"/.test(error.message),
    );
    assert.equal(overrides.current().length, 1);
  });

  it("makes none of several when one is too long to be kept", () => {
    const long = `${"a".repeat(60)}.`.repeat(4);
    const both = ["a.example.com", `${long}example.com`].map((entry) => ({
      target: app,
      entry,
      endsAtMs: undefined,
    }));
    assert.throws(() => overrides.add(both), /is too long to keep; put it into a label or the policy file/);
    assert.deepEqual(overrides.current(), []);
    assert.deepEqual(kept(), []);
  });

  it("refuses what the kernel would end too early", () => {
    assert.throws(() => add(app, "!a.example.com", 25 * 86_400), /--for takes at most 24 days; leave it out/);
    add(app, "!a.example.com", 24 * 86_400);
    now = 23 * day;
    restart();
    assert.deepEqual(texts(overrides.current()), [`app !a.example.com until ${24 * day}`]);
  });

  it("refuses more than it can keep, and takes numbers that are free again", () => {
    for (let index = 0; index < 300; index++) add(app, `a${index}.example.com`);
    assert.ok(kept().some((line) => line.startsWith("dockerwall-rules 0.0.1.44/32 ")));
    overrides.remove(app, ["a7.example.com"]);
    add(app, "again.example.com");
    assert.ok(kept().includes("dockerwall-rules 0.0.0.8/32 0 network app again.example.com"));
    const many = Array.from({ length: 3701 }, (_, index) => ({
      target: app,
      entry: `b${index}.example.com`,
      endsAtMs: undefined,
    }));
    assert.throws(() => overrides.add(many), /there are already 300 overrides/);
    assert.equal(overrides.current().length, 300);
  });

  it("puts back what was taken out of the kernel, and only that", () => {
    add(app, "a.example.com");
    add(app, "b.example.com", 60);
    const before = kept();
    flushSet(sets, setNames.overrides);
    overrides.restore();
    assert.deepEqual(kept(), before);
    now = 30_000;
    sets.del(
      setNames.overrides,
      sets
        .list(setNames.overrides)
        .slice(1)
        .map(({ key }) => key),
    );
    overrides.restore();
    assert.deepEqual(kept(), [
      "dockerwall-rules 0.0.0.1/32 0 network app a.example.com",
      "dockerwall-rules 0.0.0.2/32 30 network app b.example.com",
    ]);
  });

  it("makes overrides and takes them back while the set is destroyed, and writes them when it is there again", () => {
    add(app, "a.example.com");
    sets.destroy(setNames.overrides);
    add(web, "c.example.com");
    overrides.remove(app, ["a.example.com"]);
    createSets(sets);
    overrides.restore();
    assert.deepEqual(inKernel(), ["container web c.example.com"]);
  });

  it("takes out what no command has made, as an old save puts it there, and says what", () => {
    add(app, "a.example.com");
    add(web, "b.example.com", 600);
    add(app, "c.example.com");
    const save = sets.list(setNames.overrides);
    overrides.remove(app, ["c.example.com"]);
    overrides.remove(app, ["a.example.com"]);
    add(app, "!a.example.com");
    now = 300_000;
    const before = kept();
    for (const { key, comment, timeoutSeconds } of save)
      sets.add(setNames.overrides, [
        { key, ...(comment && { comment }), ...(timeoutSeconds && { timeoutSeconds }) },
      ]);
    assert.deepEqual(overrides.restore(), ["network app c.example.com"]);
    assert.deepEqual(kept().toSorted(), before.toSorted());
    assert.deepEqual(overrides.restore(), []);
    restart();
    const left = ["app !a.example.com", "web b.example.com until 600000"];
    assert.deepEqual(texts(overrides.current()).toSorted(), left);
  });

  it("passes over what is no override of ours", () => {
    sets.add(setNames.overrides, [
      { key: { kind: "net", prefix: { address: "0.0.0.9" as never, length: 32 } }, comment: "hello" },
    ]);
    restart();
    assert.deepEqual(overrides.current(), []);
  });
});
