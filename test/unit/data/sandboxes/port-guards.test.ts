// What is asked of the kernel for the ports of a sandbox, and what becomes of it where the kernel cannot.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { createAttempt } from "../../../../src/data/sandboxes/attempt.ts";
import { PortGuards } from "../../../../src/data/sandboxes/port-guards.ts";
import type { PortTable } from "../../../../src/edge/kernel/nftables/port-table.ts";
import type { Port } from "../../../../src/edge/sandbox/ports/ports.ts";

const ports: readonly Port[] = [
  { index: 1, name: "veth1", bridge: "br-guarded" },
  { index: 2, name: "veth2", bridge: "br-open" },
  { index: 3, name: "veth3", bridge: undefined },
];
const may = {
  senders: ["192.0.2.1" as IpAddress],
  linkLocal: new Map([["br-guarded", ["fe80::1" as IpAddress]]]),
};

function start(table: Partial<PortTable> | undefined) {
  const seen: unknown[] = [];
  const guards = new PortGuards({
    table: table as PortTable | undefined,
    networkOn: (bridge) => ({ guarded: bridge === "br-guarded", subnets: [] }),
    cutInside: (sandbox, cut) => seen.push(`inside ${sandbox} ${cut}`),
    isCutInside: () => true,
    attempt: createAttempt((problem) => seen.push(problem)),
  });
  return { guards, seen };
}

test("each port on a bridge is guarded by the network there", () => {
  const guarded: unknown[] = [];
  const { guards } = start({ guard: (port, guard) => guarded.push([port.index, guard]) });
  assert.equal(guards.put("box", ports, may, true), true);
  const guard = { senders: may.senders, neighbourhood: [] };
  assert.deepEqual(guarded, [
    [1, { ...guard, linkLocal: ["fe80::1"], linkLocalMay: "judged" }],
    [2, { ...guard, linkLocal: [], linkLocalMay: "discovery" }],
  ]);
});

test("a port that cannot be guarded is told, and is not in force", () => {
  const refuse = (): never => {
    throw new Error("refused");
  };
  const { guards, seen } = start({ guard: refuse });
  assert.equal(guards.put("box", ports, may, true), false);
  assert.deepEqual(seen, ["the ports of sandbox box: refused"]);
});

test("where a port is cut one way only, or there is no table, the sandbox is cut off inside", () => {
  const both = start({ cut: () => true });
  both.guards.cut("box", ports, true);
  assert.deepEqual(both.seen, []);
  for (const table of [{ cut: ({ index }: { readonly index: number }) => index !== 2 }, undefined]) {
    const { guards, seen } = start(table);
    guards.cut("box", ports, true);
    assert.deepEqual(seen, ["inside box true"]);
  }
});

test("without a port nothing is cut off; nothing is guarded any more once it was released", () => {
  const { guards } = start({ isCut: () => true, remove: () => undefined, close: () => undefined });
  assert.equal(guards.isCutOff("box", []), false);
  assert.equal(guards.isCutOff("box", ports), true);
  assert.equal(guards.areInForce, true);
  guards.release();
  assert.equal(guards.areInForce, false);
  assert.equal(guards.put("box", ports, may, true), true);
});
