// Sets are brought to what is wanted, comments and all: their readers, a new daemon among them, go by those.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { Member } from "../../../../../src/core/firewall/members.ts";
import { setNames } from "../../../../../src/core/firewall/names.ts";
import { maxChunks, partLists, partName } from "../../../../../src/core/firewall/sets.ts";
import { parsePrefix } from "../../../../../src/core/model/address.ts";
import { applySets, createSets } from "../../../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets, type FakeSets } from "../../../../support/fake-sets.ts";

let sets: FakeSets;

beforeEach(() => {
  sets = createFakeSets(() => 0);
  createSets(sets);
});

/** Of every set but the lists of parts, which have theirs from the start. */
function entries(): readonly string[] {
  const lists = new Set(partLists.values());
  return sets.dump().filter((line) => !lists.has(line.split(" ")[0] ?? ""));
}

function apply(name: string, ...members: readonly Member[]): boolean {
  return applySets(sets, { members: new Map([[name, members]]), lists: new Map() }).changed;
}

const prefix = parsePrefix("198.18.0.2") ?? assert.fail();
const other4 = parsePrefix("198.18.0.3") ?? assert.fail();
const service = { protocol: 6, port: 5432 };

describe("an entry that is there with another comment", () => {
  const cases: readonly [set: string, member: Member, dump: string][] = [
    [setNames.quarantine4, { prefix }, "198.18.0.2/32 0"],
    [setNames.guarded4, { prefix, iface: "br-a" }, "198.18.0.2/32,br-a "],
    [setNames.host4, { prefix, service }, "198.18.0.2/32,6:5432 "],
  ];
  for (const [set, member, dump] of cases) {
    it(`gets the one that it should have (${set})`, () => {
      apply(set, { ...member, comment: "before" });
      assert.equal(apply(set, { ...member, comment: "now" }), true);
      assert.deepEqual(entries(), [`${set} ${dump} now`]);
      assert.equal(apply(set, { ...member, comment: "now" }), false);
    });
  }

  it("is left alone where it is the data plane's", () => {
    sets.add(setNames.quarantine4, [{ key: { kind: "net", prefix }, comment: "sandbox:s1" }]);
    assert.equal(apply(setNames.quarantine4, { prefix, comment: "c1" }), false);
    assert.equal(apply(setNames.quarantine4), false);
    assert.deepEqual(entries(), [`${setNames.quarantine4} 198.18.0.2/32 0 sandbox:s1`]);
  });

  it("is written once where two want it", () => {
    const both = ["one", "two"].map((comment): Member => ({ prefix, comment }));
    assert.equal(apply(setNames.quarantine4, ...both), true);
    assert.equal(apply(setNames.quarantine4, ...both), false);
  });
});

describe("what is not wanted, while containers may be missing", () => {
  const subnet = parsePrefix("198.18.0.0/24") ?? assert.fail();
  const cases: readonly [what: string, set: string, member: Member, stays: boolean][] = [
    ["goes with its network", setNames.audit4, { prefix: subnet, iface: "br-a" }, false],
    ["goes with its network's entry", setNames.host4, { prefix: subnet, service }, false],
    ["stays for a container", setNames.guarded4, { prefix, iface: "br-a" }, true],
    ["stays for a container's entry", setNames.host4, { prefix, service }, true],
    ["stays where it may be a destination of a container's", setNames.static4, { prefix: subnet }, true],
  ];
  for (const [what, set, member, stays] of cases) {
    it(`${what} (${set})`, () => {
      apply(set, member);
      applySets(sets, { members: new Map([[set, []]]), lists: new Map() }, "keep");
      assert.equal(sets.list(set).length, stays ? 1 : 0);
    });
  }
});

describe("a bridge of a list", () => {
  it("is none because a chunk that was no part of it held it before", () => {
    const list = (...bridges: readonly string[]): boolean =>
      applySets(sets, { members: new Map(), lists: new Map([[setNames.open4, { family: 4, bridges }]]) })
        .changed;
    list("br-a", "br-b");
    sets.del(setNames.open4, [{ kind: "set", name: `${setNames.open4}-0` }]);
    list("br-b");
    const held = sets.list(`${setNames.open4}-0`).map(({ key }) => key.kind === "net-iface" && key.iface);
    assert.deepEqual(held, ["br-b"]);
    assert.equal(list("br-b"), false);
  });
});

describe("a full set", () => {
  const subnet = parsePrefix("198.18.0.0/24") ?? assert.fail();
  const fill = (...members: readonly Member[]) =>
    applySets(sets, { members: new Map([[setNames.host4, members]]), lists: new Map() });
  const other = { protocol: 6, port: 22 };

  it("gives nobody what an exception without a place takes away", () => {
    fill({ prefix: subnet, service, comment: "app" }, { prefix: subnet, service: other, comment: "app" });
    sets.limit(setNames.host4, 2);
    const wanted: Member[] = [
      { prefix: subnet, service, comment: "app" },
      { prefix: subnet, service: other, comment: "app" },
      { prefix, service, exception: true, comment: "web" },
    ];
    const first = fill(...wanted);
    assert.deepEqual(entries(), [`${setNames.host4} 198.18.0.0/24,6:22  app`]);
    assert.equal(first.unplaced.get(setNames.host4)?.length, 2);
    // The exception has a place now, and so what it takes from is closed for nobody else than it must be.
    fill(...wanted);
    const stands = entries().map((line) => line.split(" ").slice(1).join(" "));
    assert.deepEqual(stands, ["198.18.0.0/24,6:22  app", "198.18.0.2/32,6:5432  web"]);
  });

  it("has room for what is new once what is old is out of it", () => {
    fill({ prefix: subnet, service, comment: "app" });
    sets.limit(setNames.host4, 1);
    const { unplaced } = fill({ prefix: subnet, service: other, comment: "app" });
    assert.equal(unplaced.size, 0);
    assert.deepEqual(entries(), [`${setNames.host4} 198.18.0.0/24,6:22  app`]);
  });

  it("has the addresses cut off that it has no place for, and who is in quarantine stays there by name", () => {
    const members: Member[] = [
      { prefix, iface: "br-a", comment: "web" },
      { prefix: other4, iface: "br-a", comment: "db" },
    ];
    const applyAll = () =>
      applySets(sets, {
        members: new Map<string, readonly Member[]>([
          [setNames.guarded4, members],
          [setNames.quarantine4, [{ prefix, comment: "id of web" }]],
        ]),
        lists: new Map(),
      });
    for (let part = 0; part < maxChunks; part++) sets.limit(partName(setNames.guarded4, part), 0);
    applyAll();
    applyAll();
    const said = sets.list(setNames.quarantine4).map(({ key, comment }) => [key, comment]);
    assert.deepEqual(said, [
      [{ kind: "net", prefix }, "id of web"],
      [{ kind: "net", prefix: other4 }, undefined],
    ]);
  });

  it("is reported for a list of bridges, too, and the rest of the list is in force", () => {
    sets.limit(setNames.open4, 1);
    const bridges = [...Array(65).keys()].map((index) => `br-${index}`);
    const { unplaced } = applySets(sets, {
      members: new Map(),
      lists: new Map([[setNames.open4, { family: 4, bridges }]]),
    });
    assert.deepEqual(
      [...unplaced].map(([name, members]) => [name, members.map(({ iface }) => iface)]),
      [[setNames.open4, ["br-64"]]],
    );
    assert.equal(sets.list(`${setNames.open4}-0`).length, 64);
  });
});
