// What becomes of a sandbox where the kernel refuses a part of what follows for it: that part alone.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import type { PortTable } from "../../../../src/edge/kernel/nftables/host/port-table.ts";
import type { Port, Ports } from "../../../../src/edge/sandbox/ports/ports.ts";
import { createFakeSets } from "../../../support/fake-sets.ts";
import { app, containerOf, plain } from "../../../support/sandbox-plane.ts";
import { type StandingsWorld, standingsOf } from "../../../support/standings.ts";
import { unlabelled } from "../../../support/topologies.ts";

const onPlain = "198.19.3.2" as IpAddress;
const web = containerOf("web", "box", [plain, onPlain]);

const having = (...addresses: readonly IpAddress[]) => ({
  addresses: addresses.map((address) => ({ address, index: 2 })),
  linkLocal: [],
  interfaces: [],
});

/** @param bridge the one that the port of each sandbox is on */
function start(
  t: TestContext,
  bridge: string | undefined,
  { table = {}, quarantined = [], ...world }: Partial<Omit<StandingsWorld, "kernel" | "picture">> & {
    readonly table?: Partial<PortTable>;
    readonly quarantined?: readonly Container[];
  } = {},
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
    quarantined: [web],
    table: {
      cut() {
        if (isRefused) throw new Error("no memory");
      },
    },
  });
  assert.deepEqual(standings.enforce("box", having(onPlain)), { kind: "open" });
  assert.deepEqual([...standings.commit()], [["box", "the ports of sandbox box: no memory"]]);
  assert.deepEqual(steps, ["cuts box inside: true", "guards 7 for "]);
  isRefused = false;
  standings.enforce("box", having(onPlain));
  assert.deepEqual([...standings.commit()], []);
  assert.deepEqual(steps.slice(2), ["cuts box inside: true", "opens 7"]);
});
