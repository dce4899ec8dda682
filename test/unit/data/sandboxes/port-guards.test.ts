// What is asked of the kernel for the ports of a sandbox, and what becomes of it where the kernel cannot.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cut } from "../../../../src/core/cut.ts";
import { type IpAddress, type Prefix, parsePrefix } from "../../../../src/core/model/address.ts";
import { SandboxAttempts } from "../../../../src/data/sandboxes/attempt.ts";
import { PortGuards } from "../../../../src/data/sandboxes/port-guards.ts";
import type { PortTable } from "../../../../src/edge/kernel/nftables/host/port-table.ts";
import type { Port } from "../../../../src/edge/sandbox/ports/ports.ts";

const ports: readonly Port[] = [
  { index: 1, name: "veth1", bridge: "br-guarded", bridgeMac: "02:00:00:00:00:01" },
  { index: 2, name: "veth2", bridge: "br-open", bridgeMac: "02:00:00:00:00:02" },
  { index: 3, name: "veth3", bridge: undefined },
];
const may = {
  senders: ["192.0.2.1" as IpAddress],
  linkLocal: new Map([["br-guarded", ["fe80::1" as IpAddress]]]),
};

const subnets: Readonly<Record<string, readonly Prefix[]>> = {
  "br-guarded": [parsePrefix("192.0.2.0/24") ?? assert.fail()],
  "br-open": [parsePrefix("198.51.100.0/24") ?? assert.fail()],
};

function start(table: Partial<PortTable> | undefined, inside = false) {
  const seen: unknown[] = [];
  const judging = new SandboxAttempts();
  const guards = new PortGuards({
    table: table && ({ inherited: () => new Map(), ...table } as PortTable),
    bridgeOf: () => undefined,
    networkOn: (bridge) => ({
      guarded: bridge === "br-guarded",
      isEnslaved: bridge === "br-enslaved",
      subnets: subnets[bridge] ?? [],
    }),
    cutInside: (sandbox, cut) => seen.push(`inside ${sandbox} ${cut}`),
    isCutInside: () => inside,
    attempt: assert.fail,
    attemptOf: judging.attempt,
  });
  return { guards, seen, judging };
}

/** A table that notes what it takes, a step for each call. */
function noting(refuse: (index: number) => boolean = () => false) {
  const steps: string[] = [];
  const table: Partial<PortTable> = {
    guard: ({ index }, { senders }) => steps.push(`${index} ${senders}`),
    guardAll(demands) {
      steps.push(demands.map(({ port, guard }) => `${port.index} ${guard.senders}`).join(", "));
      const refused = demands.filter(({ port }) => refuse(port.index));
      return new Map(refused.map(({ port }) => [port.index, new Error(`refused ${port.index}`)]));
    },
    open: (index) => steps.push(`open ${index}`),
  };
  return { table, steps };
}

const of = (index: number): readonly Port[] => [{ index, name: `veth${index}`, bridge: "br-guarded" }];
const from = (...senders: readonly string[]) => ({ senders: senders as IpAddress[], linkLocal: new Map() });

test("each port on a bridge is guarded by the network there", () => {
  const guarded: unknown[] = [];
  const { guards } = start({
    guardAll(demands) {
      for (const { port, guard } of demands) guarded.push([port.index, guard]);
      return new Map();
    },
  });
  assert.equal(guards.put("box", ports, may, true), true);
  assert.deepEqual([...guards.commit()], []);
  const neighbourhoods = Object.values(subnets).flat();
  const guard = (neighbourhood: readonly Prefix[] | undefined, bridgeMac: string) => ({
    senders: may.senders,
    neighbourhood,
    neighbourhoods,
    bridgeMac,
  });
  assert.deepEqual(guarded, [
    [
      1,
      {
        ...guard(subnets["br-guarded"], "02:00:00:00:00:01"),
        linkLocal: ["fe80::1"],
        linkLocalMay: "judged",
      },
    ],
    [2, { ...guard(subnets["br-open"], "02:00:00:00:00:02"), linkLocal: [], linkLocalMay: "discovery" }],
  ]);
});

test("nothing comes in by a port of a bridge that is part of another device", () => {
  const { table, steps } = noting();
  const { guards } = start(table);
  guards.put("box", [{ index: 1, name: "veth1", bridge: "br-enslaved" }], may, true);
  guards.commit();
  assert.deepEqual(steps, ["1 "]);
});

test("of what one sandbox demands anew the last counts, and nothing once it is gone or is open", () => {
  const { table, steps } = noting();
  const { guards } = start(table);
  guards.put("box", of(1), from("192.0.2.1"), true);
  guards.put("box", of(1), from("192.0.2.2"), true);
  guards.put("gone", of(2), from("192.0.2.3"), true);
  guards.put("opened", of(3), from("192.0.2.4"), true);
  guards.forget("gone");
  guards.put("opened", of(3), from("192.0.2.4"), false);
  guards.commit();
  assert.deepEqual(steps, ["open 3", "1 192.0.2.2"]);
});

test("what many sandboxes demand anew is one step, and nothing of it is in force before", () => {
  const { table, steps } = noting();
  const { guards } = start(table);
  for (const index of [1, 2, 3]) guards.put(`box${index}`, of(index), from(`192.0.2.${index}`), true);
  assert.deepEqual(steps, []);
  guards.commit();
  assert.deepEqual(steps, ["1 192.0.2.1, 2 192.0.2.2, 3 192.0.2.3"]);
  guards.commit();
  assert.equal(steps.length, 1);
});

test("a port that cannot be guarded is told, and is not in force; the others are", () => {
  const { table } = noting((index) => index === 2);
  const { guards, judging } = start(table);
  for (const index of [1, 2, 3]) guards.put(`box${index}`, of(index), from(`192.0.2.${index}`), true);
  assert.deepEqual([...guards.commit()], ["box2"]);
  assert.deepEqual([...judging.take()], [["box2", "the ports of sandbox box2: refused 2"]]);
  assert.deepEqual([...judging.take()], []);
  assert.deepEqual([...guards.commit()], []);
});

test("a refusal that came before the end of a turn counts at its end", () => {
  const { table, steps } = noting((index) => index === 1);
  const { guards } = start(table);
  guards.put("box1", of(1), from("192.0.2.1"), true);
  guards.flush();
  guards.put("box2", of(2), from("192.0.2.2"), true);
  assert.deepEqual([...guards.commit()], ["box1"]);
  assert.deepEqual(steps, ["1 192.0.2.1", "2 192.0.2.2"]);
});

test("what a port may let in by a chain that was not put for certain is withheld from there", () => {
  const { table, steps } = noting((index) => index === 1);
  let isAnswered = true;
  const guard: PortTable["guard"] = (port, its) => {
    if (!isAnswered) throw new Error("not answered");
    table.guard?.(port, its);
  };
  const { guards } = start({ ...table, guard });
  guards.put("box1", of(1), from("192.0.2.1", "192.0.2.3"), true);
  guards.commit();
  assert.equal(guards.withhold("box2", of(2), from("192.0.2.1")), true);
  assert.deepEqual(steps.slice(1), ["1 192.0.2.3"]);
  isAnswered = false;
  assert.equal(guards.put("box1", of(1), from("192.0.2.4"), true), false);
  isAnswered = true;
  // What was let in before may be so still.
  assert.equal(guards.withhold("box2", of(2), from("192.0.2.3")), true);
  assert.equal(guards.withhold("box2", of(2), from("192.0.2.4")), true);
  assert.deepEqual(steps.slice(2), ["1 192.0.2.4", "1 "]);
});

test("a chain that is known is changed at once: it may let in less", () => {
  const { table, steps } = noting();
  const { guards } = start(table);
  guards.put("box", of(1), from("192.0.2.1", "192.0.2.2"), true);
  guards.commit();
  guards.put("box", of(1), from("192.0.2.1"), true);
  assert.deepEqual(steps.slice(1), ["1 192.0.2.1"]);
  // An open port has no chain that is known.
  guards.put("box", of(1), from(), false);
  guards.put("box", of(1), from("192.0.2.2"), true);
  assert.deepEqual(steps.slice(2), ["open 1"]);
});

test("what is another's from now on is taken from a chain at once", () => {
  const { table, steps } = noting();
  const { guards } = start(table);
  guards.put("box1", of(1), from("192.0.2.1", "192.0.2.9"), true);
  guards.flush();
  assert.equal(guards.withhold("box2", of(2), from("192.0.2.9")), true);
  assert.deepEqual(steps.slice(1), ["1 192.0.2.1"]);
});

test("who is cut off is so inside too, whatever its ports can do: other ways may lead out of it", () => {
  const oneWay = { cut: ({ index }: { readonly index: number }) => index !== 2 };
  const refused = { cut: () => assert.fail("refused") };
  for (const table of [{ cut: () => true }, oneWay, refused, undefined]) {
    const { guards, seen, judging } = start(table);
    assert.equal(guards.cut("box", ports, true), table !== refused);
    assert.equal(seen.at(-1), "inside box true");
    assert.equal(judging.take().has("box"), table === refused, "it is told where it is not so at its ports");
  }
});

test("who is not cut off is let go inside once, and not looked at again before it was cut off, or another has its name", () => {
  const { guards, seen } = start({ cut: () => true });
  const uncut = (): boolean => guards.cut("box", ports, false);
  uncut();
  uncut();
  guards.cut("box", ports, true);
  uncut();
  uncut();
  guards.gone("box");
  uncut();
  assert.deepEqual(
    seen,
    [false, true, false, false].map((cut) => `inside box ${cut}`),
  );
});

const cuts: readonly [what: string, ports: readonly Cut[], inside: boolean, expected: Cut][] = [
  ["all its ports are cut, but not what else leads out of it", ["whole", "whole", "whole"], false, "partly"],
  ["one of its ports is not", ["whole", "none", "whole"], false, "partly"],
  ["one of its ports is cut one way", ["none", "partly", "none"], false, "partly"],
  ["nothing cuts it", ["none", "none", "none"], false, "none"],
  ["all its ports are cut, and inside", ["whole", "whole", "whole"], true, "whole"],
  ["it is cut off inside, which frames made by hand pass", ["none", "none", "none"], true, "partly"],
  ["it is cut off inside, and one of its ports is not", ["whole", "none", "whole"], true, "partly"],
  ["the kernel cuts one way, and inside", ["sends-nothing", "sends-nothing"], true, "sends-nothing"],
  ["the kernel cuts one way, but not inside", ["sends-nothing", "sends-nothing"], false, "partly"],
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
