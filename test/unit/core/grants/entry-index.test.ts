// How many entries a network has is known at once, and is what counting them would give.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AskerKey, EntryIndex } from "../../../../src/core/grants/entry-index.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";

const askers = Array.from({ length: 4 }, (_, index) => `198.19.1.${index + 2}` as IpAddress);
const networks = ["app", "other", "third"];

function keyOf(asker: IpAddress, port: number): AskerKey {
  return { kind: "ip-port-ip", first: "203.0.113.9" as IpAddress, protocol: 6, port, second: asker };
}

const asker = fc.constantFrom(...askers);
const step = fc.oneof(
  fc.record({ kind: fc.constant("note"), asker, port: fc.nat(5), atMs: fc.nat(100) }),
  fc.record({ kind: fc.constant("place"), asker, network: fc.constantFrom(...networks) }),
  fc.record({ kind: fc.constant("forget"), asker }),
  fc.record({ kind: fc.constant("forgetAbove"), asker, port: fc.nat(5) }),
  fc.record({ kind: fc.constant("sweep"), atMs: fc.nat(100) }),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

function take(index: EntryIndex, change: Step): void {
  if ("atMs" in change && "port" in change) {
    index.note("grant4", keyOf(change.asker, change.port), change.atMs);
  } else if ("network" in change) index.place(change.asker, change.network);
  else if ("atMs" in change) index.sweep(change.atMs);
  else {
    const above = "port" in change ? change.port : Number.NEGATIVE_INFINITY;
    for (const [set, keys] of index.bySet(change.asker, (_set, { port }) => port <= above))
      index.forget(set, keys);
  }
}

test("the count of a network is the sum of its askers' counts, whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const index = new EntryIndex();
      for (const each of steps) {
        take(index, each);
        for (const network of networks) {
          const mine = askers.filter((address) => index.networkOf(address) === network);
          const sum = mine.reduce((all, address) => all + index.count(address), 0);
          assert.equal(index.countIn(network), sum);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test("the count of a network costs the same with ten askers and with ten thousand", () => {
  const rounds = 20_000;
  const timeOf = (count: number): number => {
    const index = new EntryIndex();
    for (let host = 0; host < count; host++) {
      const address = `10.${host >> 16}.${(host >> 8) & 255}.${host & 255}` as IpAddress;
      index.place(address, "app");
      index.note("grant4", keyOf(address, 443), 1);
    }
    const from = performance.now();
    for (let round = 0; round < rounds; round++) index.countIn("app");
    return performance.now() - from;
  };
  timeOf(10);
  const [few, many] = [timeOf(10), timeOf(10_000)];
  assert.ok(many < few * 20 + 20, `${few} ms with ten, ${many} ms with ten thousand`);
});
