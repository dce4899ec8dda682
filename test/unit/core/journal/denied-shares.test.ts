import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DeniedEntry } from "../../../../src/core/journal/denied-record.ts";
import { planTrim, waterLine } from "../../../../src/core/journal/denied-shares.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import {
  createRecentDrops,
  fullTables,
  neighboursRefused,
  queuesDropped,
} from "../../../../src/core/status/full-tables.ts";

const entry = (
  asker: string,
  port: number,
  lastSeenMs = 0,
): DeniedEntry & { readonly lastSeenMs: number } => ({
  asker: asker as IpAddress,
  destination: "203.0.113.9" as IpAddress,
  protocol: 6,
  port,
  packets: 1,
  bytes: 40,
  lastSeenMs,
});
const networkOf = ({ asker }: Pick<DeniedEntry, "asker">): string => asker.split(".")[2] ?? "";

test("a thousand askers with 250 ports each take nothing of a quiet one, on their network or another", () => {
  const flood = Array.from({ length: 100_000 }, (_, index) =>
    entry(`198.19.1.${Math.floor(index / 250)}`, index % 250, 9),
  );
  const quiet = ["198.19.1.999", "198.19.2.2"].flatMap((asker) =>
    Array.from({ length: 8 }, (_, port) => entry(asker, port)),
  );
  const limits = { perAsker: 1_024, perNetwork: 8_192, inAll: 32_768 };
  const gone = new Set(planTrim([...quiet, ...flood], networkOf, limits));
  assert.ok(quiet.every((each) => !gone.has(each)));
  assert.ok(flood.length + quiet.length - gone.size <= 8_192 + 8);
});

test("an asker keeps what it tried last", () => {
  const own = Array.from({ length: 10 }, (_, port) => entry("198.19.1.2", port, port));
  const gone = planTrim(own, networkOf, { perAsker: 4, perNetwork: 100, inAll: 100 });
  assert.deepEqual(
    gone.map(({ port }) => port),
    [0, 1, 2, 3, 4, 5],
  );
});

test("no bound is passed, and nothing is forgotten below all of them", () => {
  const entries = fc.array(fc.tuple(fc.nat(3), fc.nat(4), fc.nat(9)), { maxLength: 200 });
  const bound = fc.integer({ min: 1, max: 60 });
  fc.assert(
    fc.property(entries, bound, bound, bound, (list, perAsker, perNetwork, inAll) => {
      const all = list.map(([network, host, atMs], port) => entry(`198.19.${network}.${host}`, port, atMs));
      const gone = new Set(planTrim(all, networkOf, { perAsker, perNetwork, inAll }));
      const kept = all.filter((each) => !gone.has(each));
      assert.ok(kept.length <= inAll);
      for (const own of Map.groupBy(kept, ({ asker }) => asker).values()) assert.ok(own.length <= perAsker);
      for (const own of Map.groupBy(kept, networkOf).values()) assert.ok(own.length <= perNetwork);
    }),
  );
});

test("the water line fills what there is", () => {
  assert.equal(waterLine([1, 5, 9], 100), Number.POSITIVE_INFINITY);
  assert.equal(waterLine([1, 5, 9], 10), 4);
  assert.equal(waterLine([5, 5], 3), 1);
});

test("each full table is reported", () => {
  const neighbours = { 4: 0, 6: 0 };
  const calm = {
    limitsFull: [],
    flows: { count: 10, most: 100 },
    queuesDropped: new Map([[5353, 0]]),
    neighboursRefused: neighbours,
    setsFull: [],
  };
  assert.deepEqual(fullTables(calm), []);
  const told = fullTables({
    limitsFull: ["dockerwall-dns4"],
    flows: { count: 90, most: 100 },
    queuesDropped: new Map([
      [5353, 1],
      [5354, 2],
    ]),
    neighboursRefused: { 4: 5, 6: 0 },
    setsFull: ["dockerwall-denied4"],
  });
  assert.equal(told.length, 5);
  assert.ok(told.some((sentence) => sentence.startsWith("3 packets were recently dropped")));
});

test("neighbours without a place are counted over all processors", () => {
  const counters = "entries  allocs table_fulls\n00000025 00000115 0000000a\n00000025 00000143 00000100\n";
  assert.equal(neighboursRefused(counters), 266);
  assert.equal(neighboursRefused("entries  allocs\n00000025 00000115\n"), 0);
  assert.equal(neighboursRefused(""), 0);
});

test("only our queues count, and only while what they dropped rises", () => {
  const line = (number: number, full: number, lost: number): string =>
    `${number}  4242     0 2   256  ${full}  ${lost}       17  1`;
  const counters = [line(5, 900, 0), line(5353, 2, 1), line(5354, 4, 0), ""].join("\n");
  assert.deepEqual(
    [...queuesDropped(counters, [5353, 5354])],
    [
      [5353, 3],
      [5354, 4],
    ],
  );
  assert.deepEqual([...queuesDropped("", [5353])], []);
  const recent = createRecentDrops();
  const second = 1_000;
  assert.equal(recent(0, 0), 0);
  assert.equal(recent(7, second), 7);
  assert.equal(recent(9, 30 * second), 9);
  assert.equal(recent(9, 100 * second), 0);
  assert.equal(recent(12, 200 * second), 3);
  // Our queues were opened anew.
  assert.equal(recent(0, 400 * second), 0);
  assert.equal(recent(2, 401 * second), 2);
});
