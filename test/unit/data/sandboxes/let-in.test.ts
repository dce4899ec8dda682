// The ports that let in an address: those of one sandbox alone.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PortGuard } from "../../../../src/core/firewall/port-guard.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { createAttempt } from "../../../../src/data/sandboxes/attempt.ts";
import { PortGuards } from "../../../../src/data/sandboxes/port-guards.ts";
import type { PortTable } from "../../../../src/edge/kernel/nftables/host/port-table.ts";
import type { Port } from "../../../../src/edge/sandbox/ports/ports.ts";

const [first, second, taken] = ["192.0.2.1", "192.0.2.2", "192.0.2.9"] as [IpAddress, IpAddress, IpAddress];
const [link, unspecified] = ["fe80::9", "::"] as [IpAddress, IpAddress];
/** Ports from ten on are on another bridge. */
const bridgeOf = (index: number): string => (index < 10 ? "br-app" : "br-other");
const portOf = (index: number): Port => ({ index, name: `veth${index}`, bridge: bridgeOf(index) });
const may = (...senders: IpAddress[]) => ({ senders, linkLocal: new Map<string, IpAddress[]>() });
const mayOn = (bridge: string, linkLocal: IpAddress, ...senders: IpAddress[]) => ({
  senders,
  linkLocal: new Map([[bridge, [linkLocal]]]),
});

/** A table with chains of an earlier run, by their ports. */
function start(inherited: Readonly<Record<number, readonly IpAddress[]>> = {}) {
  const chains = new Map<number, readonly IpAddress[]>();
  for (const [index, addresses] of Object.entries(inherited)) chains.set(Number(index), addresses);
  /** Whenever a port was written: the ports that let in the address then. */
  const together: number[] = [];
  const problems: string[] = [];
  const table: Partial<PortTable> = {
    guard({ index }, { senders, linkLocal }: PortGuard) {
      chains.set(index, [...senders, ...linkLocal]);
      together.push([...chains.values()].filter((each) => each.includes(taken)).length);
    },
    guardAll(demands) {
      for (const { port, guard } of demands) table.guard?.(port, guard);
      return new Map();
    },
    open: (index) => void chains.delete(index),
    inherited: () => new Map([...chains].map(([index, addresses]) => [index, new Set(addresses)])),
    shut(index, addresses) {
      const before = chains.get(index) ?? assert.fail("no such chain");
      chains.set(
        index,
        before.filter((each) => !addresses.includes(each)),
      );
    },
    retain: () => undefined,
  };
  const attempt = createAttempt((problem) => problems.push(problem));
  const guards = new PortGuards({
    table: table as PortTable,
    networkOn: () => ({ guarded: true, isEnslaved: false, subnets: [] }),
    bridgeOf,
    cutInside: assert.fail,
    isCutInside: () => false,
    attempt,
    attemptOf: (_sandbox, whose, work) => attempt(whose, work),
  });
  const put = (sandbox: string, indexes: readonly number[], ...senders: IpAddress[]): boolean =>
    guards.put(sandbox, indexes.map(portOf), may(...senders), true) && guards.commit().size === 0;
  const opens = (sandbox: string, index: number, ...senders: IpAddress[]): boolean =>
    guards.withhold(sandbox, [portOf(index)], may(...senders)) && put(sandbox, [index], ...senders);
  return { put, opens, guards, chains, together, table, problems };
}

test("what is put for one sandbox is let in by another's ports no more, before it is by its own", () => {
  const { guards, put, opens, chains, together } = start();
  put("before", [1, 2], first, taken);
  together.length = 0;
  opens("heir", 3, second, taken);
  assert.deepEqual([...chains.values()], [[first], [first], [second, taken]]);
  assert.deepEqual(together, [1, 0, 1]);
  // And as it was when it is that one's again.
  assert.equal(guards.withhold("before", [portOf(1), portOf(2)], may(first, taken)), true);
  assert.deepEqual([...chains.values()], [[first], [first], [second]]);
});

test("so is what is not in the kernel yet", () => {
  const { guards, opens, chains, together } = start();
  guards.put("before", [portOf(1)], may(first, taken), true);
  guards.put("other", [portOf(2)], may(second), true);
  assert.deepEqual([...chains], []);
  opens("heir", 3, taken);
  assert.deepEqual([...chains.values()], [[first], [second], [taken]]);
  assert.equal(Math.max(...together), 1);
});

test("a chain of an earlier run lets in what is another's no more, and all else", () => {
  const { guards, opens, chains } = start({ 1: [first, taken], 2: [second] });
  for (const heir of [3, 4]) opens(`heir${heir}`, heir, taken);
  assert.deepEqual(
    [...chains],
    [
      [1, [first]],
      [2, [second]],
      [3, []],
      [4, [taken]],
    ],
  );
  guards.put("before", [portOf(1)], may(second), true);
  assert.deepEqual(chains.get(1), [second]);
});

test("a chain of an earlier run that is to let in less goes at once, and no other", () => {
  const { guards, chains } = start({ 1: [first, taken], 2: [second, unspecified] });
  guards.put("less", [portOf(1)], may(first), true);
  guards.put("more", [portOf(2)], may(second, taken), true);
  assert.deepEqual([...chains.values()], [[first], [second, unspecified]]);
  guards.commit();
  assert.deepEqual([...chains.values()], [[first], [second, taken]]);
});

test("a link-local address is one's alone on each bridge", () => {
  const { guards, chains } = start({ 1: [first, link], 11: [second, link] });
  guards.put("one", [portOf(2)], mayOn("br-app", link, first), true);
  guards.put("far", [portOf(12)], mayOn("br-other", link, second), true);
  guards.commit();
  assert.deepEqual([guards.inheritedAt(link, "br-app"), guards.inheritedAt(link, "br-other")], [[1], [11]]);
  assert.equal(guards.withhold("heir", [portOf(3)], mayOn("br-app", link)), true);
  assert.deepEqual(
    [...chains],
    [
      [1, [first]],
      [11, [second, link]],
      [2, [first]],
      [12, [second, link]],
    ],
  );
  assert.deepEqual(guards.inheritedAt(link, "br-app"), []);
});

test("a chain that cannot be written is taken away, and its heir has the address all the same", () => {
  const { put, opens, chains, table, problems } = start();
  put("before", [1], first, taken);
  const write = table.guard;
  table.guard = (port, guard) => {
    if (port.index === 1) throw new Error("no such device");
    write?.(port, guard);
  };
  assert.equal(opens("heir", 3, taken), true);
  assert.deepEqual([[...chains], problems], [[[3, [taken]]], []]);
});

test("ports that are gone or open are forgotten", () => {
  const { guards, put, opens, chains } = start();
  put("before", [1], taken);
  put("opened", [2], first);
  guards.put("opened", [portOf(2)], may(first), false);
  guards.retain((index) => index !== 1);
  opens("heir", 3, first, taken);
  // The table forgets by itself what is gone.
  assert.deepEqual([chains.get(1), chains.has(2)], [[taken], false]);
});
