import assert from "node:assert/strict";
import { test } from "node:test";
import { readCounters } from "../../../src/core/counters/registry.ts";
import type { Outcome } from "../../../src/core/dns/resolve/resolution.ts";
import { countLookup } from "../../../src/data/lookup-counts.ts";
import { countedSince } from "../../support/counted.ts";

test("what was answered without asking is counted by why, and nothing else is", () => {
  const before = readCounters();
  const outcomes: readonly Outcome[] = [
    ...(["no-family", "no-family", "not-served", "internal"] as const),
    ...(["local", "denied", "answered", "refused-private", "failed"] as const),
  ];
  for (const outcome of outcomes)
    countLookup({
      outcome,
      bytes: new Uint8Array(),
      granted: [],
      refused: [],
      onlyRefused: false,
      isNoName: false,
      excess: 0,
      cause: undefined,
      repeats: undefined,
    });
  assert.deepEqual(countedSince(before), {
    "lookup_not_asked internal": 1,
    "lookup_not_asked no-family": 2,
    "lookup_not_asked not-served": 1,
  });
});
