// What is asked of the kernel for the ports of a sandbox, and what becomes of it where the kernel cannot.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cut } from "../../../../src/core/cut.ts";
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

function start(table: Partial<PortTable> | undefined, inside = false) {
  const seen: unknown[] = [];
  const guards = new PortGuards({
    table: table && ({ inherited: () => new Map(), ...table } as PortTable),
    bridgeOf: () => undefined,
    networkOn: (bridge) => ({ guarded: bridge === "br-guarded", subnets: [] }),
    cutInside: (sandbox, cut) => seen.push(`inside ${sandbox} ${cut}`),
    isCutInside: () => inside,
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

test("a port that cannot be guarded is a problem, and is not in force", () => {
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

const cuts: readonly [what: string, ports: readonly Cut[], inside: boolean, expected: Cut][] = [
  ["all its ports are cut", ["whole", "whole", "whole"], false, "whole"],
  ["one of its ports is not", ["whole", "none", "whole"], false, "partly"],
  ["one of its ports is cut one way", ["none", "partly", "none"], false, "partly"],
  ["nothing cuts it", ["none", "none", "none"], false, "none"],
  ["it is cut off inside", ["none", "none", "none"], true, "whole"],
  ["it is cut off inside, and no port is known", [], true, "partly"],
  ["no port is known", [], false, "none"],
];
for (const [what, each, inside, expected] of cuts)
  test(`it is cut off ${expected === "none" ? "not at all" : expected} where ${what}`, () => {
    const { guards } = start({ cutOf: (index) => each[index - 1] ?? "none" }, inside);
    assert.equal(guards.cutOf("box", ports.slice(0, each.length)), expected);
  });

test("nothing is guarded any more once it was released, also where the table could not be removed", () => {
  let closed = 0;
  const remove = (): never => {
    throw new Error("refused");
  };
  const { guards } = start({ remove, close: () => closed++ });
  assert.equal(guards.areInForce, true);
  assert.throws(() => guards.release(), /refused/);
  assert.equal(closed, 1, "what it owns, nobody else can remove");
  assert.equal(guards.areInForce, false);
  assert.equal(guards.put("box", ports, may, true), true);
});
