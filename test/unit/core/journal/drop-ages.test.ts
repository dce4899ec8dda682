import assert from "node:assert/strict";
import { it } from "node:test";
import { createDropAges } from "../../../../src/core/journal/drop-ages.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";

const entry = {
  asker: "198.18.1.2" as IpAddress,
  destination: "203.0.113.9" as IpAddress,
  protocol: 6,
  port: 443,
  packets: 1,
  bytes: 60,
};

it("a denied connection is as old as the last reading at which its counter had grown", () => {
  const ages = createDropAges();
  const readings: readonly [nowMs: number, packets: number, lastSeenMs: number][] = [
    [1000, 1, 1000],
    [2000, 1, 1000],
    [3000, 4, 3000],
    [4000, 4, 3000],
  ];
  for (const [nowMs, packets, lastSeenMs] of readings) {
    assert.equal(ages.observe([{ ...entry, packets }], nowMs)[0]?.lastSeenMs, lastSeenMs);
  }
  ages.observe([], 5000);
  assert.equal(
    ages.observe([{ ...entry, packets: 4 }], 6000)[0]?.lastSeenMs,
    6000,
    "what was forgotten is new",
  );
});
