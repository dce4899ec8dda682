// When flows of a former holder are looked for, and what happens when that fails.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { FormerFlows } from "../../../../src/data/sandboxes/former-flows.ts";

const [first, second, third] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"] as [IpAddress, IpAddress, IpAddress];

/** A kernel with stamped flows at these addresses; each failure is one refusal. */
function start(stamped: readonly IpAddress[] = [], held: readonly IpAddress[] = []) {
  const world = { failures: 0, readings: 0, disowned: [] as IpAddress[][], cleared: [] as string[] };
  const problems: string[] = [];
  const timers: (() => void)[] = [];
  const mayFail = (): void => {
    if (world.failures-- > 0) throw new Error("refused");
    world.failures = 0;
  };
  const flows = new FormerFlows({
    uncleared: new Map(),
    disown(addresses) {
      mayFail();
      world.disowned.push([...addresses]);
    },
    stampedSources() {
      mayFail();
      world.readings += 1;
      return new Set(stamped);
    },
    isHeld: (address) => held.includes(address),
    onCleared: (sandbox) => world.cleared.push(sandbox),
    after: (_ms, work) => void timers.push(work),
    onProblem: (problem) => problems.push(problem),
  });
  const comes = (address: IpAddress, sandbox: string): readonly IpAddress[] => {
    flows.come(address, sandbox);
    return flows.clear([address]);
  };
  return { world, flows, comes, problems, timers };
}

test("only where one may have left flows the kernel is asked for them, and for all of them once", () => {
  const { world, flows, comes } = start([first, third], [third]);
  assert.deepEqual(flows.clear([second]), [second]);
  assert.equal(world.readings, 0);
  assert.deepEqual([comes(second, "a"), comes(first, "b")], [[second], [first]]);
  assert.deepEqual(world, { failures: 0, readings: 1, disowned: [[first]], cleared: [] });
  // Of one that was held then, and of one that was clear when it came.
  for (const address of [third, second]) {
    flows.leave(address, "a");
    comes(address, "c");
  }
  assert.deepEqual(world.disowned, [[first], [third], [second]]);
});

test("who takes an address off and puts it on again keeps its flows, but not those that it found there", () => {
  const { world, flows, comes } = start();
  comes(first, "a");
  flows.leave(first, "a");
  assert.deepEqual(comes(first, "a"), [first]);
  assert.deepEqual(world.disowned, []);
  flows.leave(first, "a");
  world.failures = 1;
  assert.deepEqual(comes(first, "b"), []);
  flows.leave(first, "b");
  assert.deepEqual(comes(first, "b"), [first]);
  assert.deepEqual(world.disowned, [[first]]);
});

test("what could not be cleared is one problem and waits until it could, and then its sandboxes hear", () => {
  const { world, flows, comes, problems, timers } = start([first]);
  world.failures = 3;
  assert.deepEqual([comes(first, "a"), comes(second, "b")], [[], []]);
  assert.equal(problems.length, 1);
  assert.match(problems.join(), /at 192\.0\.2\.1 could not be cleared \(refused\)/);
  assert.equal(timers.length, 1);
  timers.shift()?.();
  assert.deepEqual(world.cleared, []);
  assert.deepEqual(flows.clear([first, third]), [first, third]);
  timers.shift()?.();
  assert.deepEqual([world.cleared, problems.length, timers.length], [["b"], 1, 0]);
  world.failures = 1;
  flows.leave(first, "a");
  assert.deepEqual(comes(first, "c"), []);
  assert.equal(problems.length, 2);
});

test("of ever so many that were left the kernel is asked again", () => {
  const { world, flows, comes } = start([first]);
  comes(second, "a");
  for (let at = 0; at <= 16_384; at++) flows.leave(`2001:db8::${at.toString(16)}` as IpAddress, "a");
  comes(first, "b");
  assert.deepEqual([world.readings, world.disowned], [2, [[first]]]);
});
