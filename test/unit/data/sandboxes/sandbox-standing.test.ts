// What becomes of a sandbox where the kernel refuses a part of what follows for it: that part alone.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { sandboxComment } from "../../../../src/core/firewall/names.ts";
import { hostPrefix, type IpAddress } from "../../../../src/core/model/address.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import type { PortTable } from "../../../../src/edge/kernel/nftables/host/port-table.ts";
import type { Port, Ports } from "../../../../src/edge/sandbox/ports/ports.ts";
import { createFakeSets } from "../../../support/fake-sets.ts";
import { app, containerOf, plain } from "../../../support/sandbox-plane.ts";
import { type StandingsWorld, standingsOf } from "../../../support/standings.ts";
import { unlabelled } from "../../../support/topologies.ts";

const onApp = "198.19.1.2" as IpAddress;
const onPlain = "198.19.3.2" as IpAddress;

const noSet = "sandbox box: the fake kernel refused: there is no set dockerwall-quarantine4";

const having = (...addresses: readonly IpAddress[]) => ({
  addresses: addresses.map((address) => ({ address, index: 2 })),
  linkLocal: [],
  interfaces: [],
});

interface World extends Partial<Pick<StandingsWorld, "own" | "lost" | "holdersOf" | "onChange">> {
  /** What it does otherwise than one that refuses nothing. */
  readonly table?: Partial<PortTable>;
  readonly quarantined?: readonly Container[];
  /** A sandbox that an earlier run has cut off, and its address. */
  readonly cutOffBefore?: readonly [sandbox: string, address: IpAddress];
}

/** @param bridge the one that the port of each sandbox is on */
function start(
  t: TestContext,
  bridge: string | undefined,
  { table = {}, quarantined = [], cutOffBefore, ...world }: World = {},
) {
  const steps: string[] = [];
  const its: readonly Port[] = [{ index: 7, name: "veth7", bridge, peer: 2 }];
  const ports: Partial<Ports> = { of: () => its, bridgeOf: () => bridge, ownerOf: () => undefined };
  const noting: Partial<PortTable> = {
    inherited: () => new Map(),
    guardAll(demands) {
      steps.push(...demands.map(({ port, guard }) => `guards ${port.index} for ${guard.senders}`));
      return new Map();
    },
    guard: ({ index }, guard) => steps.push(`guards ${index} for ${guard.senders}`),
    open: (index) => steps.push(`opens ${index}`),
    cut: ({ index }, isCut) => steps.push(`cuts ${index}: ${isCut}`),
    close: () => undefined,
    ...table,
  };
  const sets = createFakeSets(() => 0);
  createSets(sets);
  if (cutOffBefore !== undefined) {
    const [sandbox, address] = cutOffBefore;
    const key = { kind: "net", prefix: hostPrefix(address) } as const;
    sets.add("dockerwall-quarantine4", [{ key, comment: sandboxComment(sandbox) }]);
  }
  const standings = standingsOf(t, {
    sets,
    own: (addresses) => addresses,
    cutInside: (sandbox, isCut) => steps.push(`cuts ${sandbox} inside: ${isCut}`),
    kernel: { openPorts: () => ports as Ports, table: noting as PortTable },
    picture: {
      topology: { networks: [app, plain], containers: quarantined },
      guarded: [{ ...app, lists: [], labels: unlabelled }],
      services: [],
      quarantined: quarantined.map(({ id }) => id),
    },
    ...world,
  });
  return { standings, steps, sets };
}

test("what cannot be cut off is let in by its ports as little as can be, also where it is on no guarded network", (t) => {
  let isRefused = true;
  const { standings, steps } = start(t, plain.bridge, {
    quarantined: [containerOf("web", "box", [plain, onPlain])],
    table: {
      cut() {
        if (isRefused) throw new Error("no memory");
      },
    },
  });
  assert.deepEqual(standings.enforce("box", having(onPlain)), { kind: "open" });
  // What closes waits for no other sandbox.
  assert.deepEqual(steps, ["cuts box inside: true", "guards 7 for "]);
  assert.deepEqual([...standings.commit()], [["box", "the ports of sandbox box: no memory"]]);
  isRefused = false;
  standings.enforce("box", having(onPlain));
  assert.deepEqual([...standings.commit()], []);
  assert.deepEqual(steps.slice(2), ["cuts box inside: true", "opens 7"]);
});

for (const [where, network, address, opens] of [
  ["on an open network", plain, onPlain, "opens 7"],
  ["on a guarded one", app, onApp, `guards 7 for ${onApp}`],
] as const)
  test(`without a set that it is to be in, one in quarantine ${where} is cut off all the same`, (t) => {
    const web = containerOf("web", "box", [network, address]);
    const { standings, steps, sets } = start(t, network.bridge, { quarantined: [web] });
    sets.destroy("dockerwall-quarantine4");
    const judge = (): unknown[] => {
      standings.enforce("box", having(address));
      return [...standings.commit()];
    };
    assert.deepEqual(judge(), [["box", noSet]]);
    const cuts = ["cuts 7: true", "cuts box inside: true"];
    assert.deepEqual(steps, [...cuts, "guards 7 for "]);
    createSets(sets);
    assert.deepEqual(judge(), []);
    assert.deepEqual(steps.slice(3), [...cuts, opens]);
  });

test("it is let go by its ports and inside also where it cannot be taken out of that set", (t) => {
  const { standings, steps, sets } = start(t, plain.bridge, { cutOffBefore: ["box", onPlain] });
  sets.destroy("dockerwall-quarantine4");
  standings.enforce("box", having(onPlain));
  const refusal = ["box", noSet];
  assert.deepEqual([...standings.commit()], [refusal]);
  assert.deepEqual(steps, ["opens 7", "cuts 7: false", "cuts box inside: false"]);
});

test("what one gives up passes on to who has it on, also where the rest of its judgement fails", (t) => {
  const floating = "198.19.1.9" as IpAddress;
  const passedOn: string[] = [];
  let isRefused = false;
  const { standings } = start(t, app.bridge, {
    own(addresses) {
      if (isRefused) throw new Error("the set of owners is gone");
      return addresses;
    },
    lost: (address, sandbox) => passedOn.push(`${address} is lost to ${sandbox}`),
    holdersOf: (address) => new Set(address === floating ? ["heir"] : []),
    onChange: (sandboxes) => passedOn.push(`${sandboxes} is judged`),
  });
  standings.enforce("box", having(onApp, floating));
  isRefused = true;
  assert.throws(() => standings.enforce("box", having(onApp)), /the set of owners is gone/);
  const all = [`${floating} is lost to box`, "heir is judged"];
  assert.deepEqual(passedOn, all);
  isRefused = false;
  standings.enforce("box", having(onApp));
  assert.deepEqual(passedOn, all);
});
