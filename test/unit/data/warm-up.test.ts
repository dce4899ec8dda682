// Warming up goes the real way, ends in time, and leaves nothing behind.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readCounters } from "../../../src/core/counters/registry.ts";
import { warmUp } from "../../../src/data/warm-up.ts";
import { planeSettings } from "../../support/plane-settings.ts";

/** UDP sockets of this process: the test runner has others. */
function openSockets(): number {
  const all = ["udp", "udp6"].flatMap((file) => readFileSync(`/proc/self/net/${file}`, "utf8").split("\n"));
  const inodes = new Set(all.map((line) => `socket:[${line.trim().split(/\s+/)[9]}]`));
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => inodes.has(link)).length;
}

test("it asks in earnest, within its time, and leaves no counter and no socket behind", async () => {
  const counters = readCounters();
  const sockets = openSockets();
  // It ends by itself, long before that: once it gets no faster.
  const asked = await warmUp({ settings: planeSettings, withinMs: 60_000 });
  assert.ok(asked >= 256, `${asked} questions`);
  assert.deepEqual(readCounters(), counters);
  await sleep(50);
  assert.equal(openSockets(), sockets);
});

test("without any time it is over at once", async () => {
  assert.equal(await warmUp({ settings: planeSettings, withinMs: 0 }), 0);
});
