// Quarantine is by container: what is made anew under the name of one that was in it is not in it, and that is said.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { createWall, type Wall } from "../../../../src/control/wall.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import type { Firewall } from "../../../../src/edge/kernel/firewall.ts";
import { createFakeSets, type FakeSets } from "../../../support/fake-sets.ts";
import { quietHost } from "../../../support/policies.ts";
import { runningContainer } from "../../../support/topologies.ts";

function made(digit: string, name: string): Container {
  return { ...runningContainer(digit.repeat(64), "app", "198.18.0.2"), name };
}

const first = made("1", "web");
const second = made("2", "web");

let sets: FakeSets;
let wall: Wall;

function start(): void {
  wall = createWall({
    sets,
    firewall: {} as Firewall,
    ...{ dnsPort: 5053, queueNumber: 5353, hold: true, listBridges: () => [] },
    ...quietHost(),
  });
}

/** The engine tells what there is, all of it. @returns whose quarantine has ended, and the warnings */
function tell(...containers: readonly Container[]) {
  const topology = { networks: [], containers };
  const ended = wall.forgetGone(topology);
  return { ended, warnings: wall.classify(topology).warnings };
}

beforeEach(() => {
  sets = createFakeSets(() => 0);
  start();
  tell(first);
  wall.quarantine.add(first.id);
  tell(first);
});

const warning =
  'container "web" is NOT in quarantine: the one of this name that was (111111111111) is gone, and its quarantine with it; dockerwall quarantine web cuts off the new one, dockerwall release web says that it is meant to be out';

describe("a quarantine whose container is gone", () => {
  it("has ended, and is a warning while a container of that name is there", () => {
    assert.deepEqual(tell(), { ended: ["web"], warnings: [] });
    assert.deepEqual(tell(second), { ended: [], warnings: [warning] });
    assert.deepEqual(tell(second), { ended: [], warnings: [warning] });
    assert.deepEqual(tell(), { ended: [], warnings: [] });
    assert.deepEqual([...wall.quarantine], []);
  });

  it("is known by the name that it had when it was replaced under another", () => {
    tell({ ...first, name: "web-old" });
    assert.deepEqual(tell({ ...first, name: "web-old" }, second), { ended: [], warnings: [] });
    assert.deepEqual(tell(second), { ended: ["web"], warnings: [warning] });
  });

  it("is known to a daemon that was not there meanwhile", () => {
    start();
    assert.deepEqual(tell(second), { ended: ["web"], warnings: [warning] });
  });

  it("is known by its id alone where an earlier version has left it", () => {
    const [entry] = sets.list("dockerwall-quarantine4");
    assert.ok(entry !== undefined);
    for (const { key } of sets.list("dockerwall-quarantine4"))
      sets.add("dockerwall-quarantine4", [{ key, comment: first.id }]);
    start();
    assert.deepEqual(tell(second), { ended: ["111111111111"], warnings: [] });
  });

  it("is no warning any more once the new one is in quarantine, nor when that is let out again", () => {
    tell(second);
    wall.quarantine.add(second.id);
    assert.deepEqual(tell(second).warnings, []);
    wall.quarantine.delete(second.id);
    assert.deepEqual(tell(second).warnings, []);
  });

  it("is no warning any more once it is said that the new one is meant to be out", () => {
    tell(second);
    assert.equal(wall.acceptSuccessor("other"), false);
    assert.equal(wall.acceptSuccessor("web"), true);
    assert.equal(wall.acceptSuccessor("web"), false);
    assert.deepEqual(tell(second).warnings, []);
  });
});

it("a container that was let out before it went leaves nothing to say", () => {
  wall.quarantine.delete(first.id);
  tell(first);
  assert.deepEqual(tell(second), { ended: [], warnings: [] });
});
