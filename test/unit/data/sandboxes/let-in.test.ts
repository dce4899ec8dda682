// The ports that let in an address: those of one sandbox alone.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PortGuard } from "../../../../src/core/firewall/port-guard.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { createAttempt } from "../../../../src/data/sandboxes/attempt.ts";
import { PortGuards } from "../../../../src/data/sandboxes/port-guards.ts";
import type { PortTable } from "../../../../src/edge/kernel/nftables/port-table.ts";
import type { Port } from "../../../../src/edge/sandbox/ports/ports.ts";

const [first, second, taken] = ["192.0.2.1", "192.0.2.2", "192.0.2.9"] as [IpAddress, IpAddress, IpAddress];
const portOf = (index: number): Port => ({ index, name: `veth${index}`, bridge: "br-app" });
const may = (...senders: IpAddress[]) => ({ senders, linkLocal: new Map() });

/** A table with chains of an earlier run at these ports. */
function start(...inherited: readonly number[]) {
  const chains = new Map<number, readonly IpAddress[] | "an earlier run's">();
  for (const index of inherited) chains.set(index, "an earlier run's");
  /** Whenever a port was written: the ports that let in the address then. */
  const together: number[] = [];
  const problems: string[] = [];
  const table: Partial<PortTable> = {
    guard({ index }, { senders }: PortGuard) {
      chains.set(index, senders);
      together.push([...chains.values()].filter((each) => each.includes(taken)).length);
    },
    open: (index) => void chains.delete(index),
    isGuarded: (index) => chains.has(index),
    retain: () => undefined,
  };
  const guards = new PortGuards({
    table: table as PortTable,
    networkOn: () => ({ guarded: true, subnets: [] }),
    cutInside: assert.fail,
    isCutInside: () => false,
    attempt: createAttempt((problem) => problems.push(problem)),
  });
  const opens = (sandbox: string, index: number, ...senders: IpAddress[]): boolean =>
    guards.withhold(sandbox, [portOf(index)], senders) &&
    guards.put(sandbox, [portOf(index)], may(...senders), true);
  return { opens, guards, chains, together, table, problems };
}

test("what is put for one sandbox is let in by another's ports no more, before it is by its own", () => {
  const { guards, opens, chains, together } = start();
  guards.put("before", [portOf(1), portOf(2)], may(first, taken), true);
  // It is not known where it stands any more.
  guards.keep([portOf(1), portOf(2)], [first]);
  together.length = 0;
  opens("heir", 3, second, taken);
  assert.deepEqual([...chains.values()], [[first], [first], [second, taken]]);
  assert.deepEqual(together, [1, 0, 1]);
  // And as it was when it is that one's again.
  assert.equal(guards.withhold("before", [portOf(1), portOf(2)], [first, taken]), true);
  assert.deepEqual([...chains.values()], [[first], [first], [second]]);
});

test("a chain of an earlier run lets nothing in any more when something that it may let in is another's", () => {
  const { guards, opens, chains } = start(1, 2);
  guards.keep([portOf(1)], [first, taken]);
  guards.keep([portOf(1)], [first]);
  guards.keep([portOf(2), portOf(4)], [second]);
  opens("heir", 3, taken);
  assert.deepEqual(
    [...chains],
    [
      [1, []],
      [2, "an earlier run's"],
      [3, [taken]],
    ],
  );
  guards.put("before", [portOf(1)], may(first), true);
  assert.deepEqual(chains.get(1), [first]);
});

test("a chain that cannot be written is taken away, and its heir has the address all the same", () => {
  const { guards, opens, chains, table, problems } = start();
  guards.put("before", [portOf(1)], may(first, taken), true);
  const write = table.guard;
  table.guard = (port, guard) => {
    if (port.index === 1) throw new Error("no such device");
    write?.(port, guard);
  };
  assert.equal(opens("heir", 3, taken), true);
  assert.deepEqual([[...chains], problems], [[[3, [taken]]], []]);
});

test("ports that are gone or open are forgotten", () => {
  const { guards, opens, chains } = start();
  guards.put("before", [portOf(1)], may(taken), true);
  guards.put("opened", [portOf(2)], may(first), true);
  guards.put("opened", [portOf(2)], may(first), false);
  guards.retain((index) => index !== 1);
  opens("heir", 3, first, taken);
  // The table forgets by itself what is gone.
  assert.deepEqual([chains.get(1), chains.has(2)], [[taken], false]);
});
