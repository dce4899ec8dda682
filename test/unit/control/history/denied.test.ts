// How often the denied sets are read: a reading that takes long is followed by a rest ten times as long.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createDeniedReading } from "../../../../src/control/history/denied.ts";
import { createPastDenied } from "../../../../src/control/history/past.ts";
import { setNames } from "../../../../src/core/firewall/names.ts";
import { createHolders } from "../../../../src/core/journal/holders.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets } from "../../../support/fake-sets.ts";

const asker = "198.19.1.2" as IpAddress;

function startReading() {
  const clock = { nowMs: 0, readingMs: 0, readings: 0 };
  const sets = createFakeSets(() => 0);
  createSets(sets);
  const reading = createDeniedReading({
    sets: {
      ...sets,
      list(name) {
        if (name === setNames.denied4) {
          clock.readings += 1;
          clock.nowMs += clock.readingMs;
        }
        return sets.list(name);
      },
    },
    holders: createHolders(() => undefined),
    past: createPastDenied(sets, 0),
    networkAt: () => undefined,
    namesOf: () => new Map(),
    clockMs: () => clock.nowMs,
  });
  const attempt = (port: number): void => {
    const second = "203.0.113.9" as IpAddress;
    sets.hit(setNames.denied4, { kind: "ip-port-ip", first: asker, protocol: 6, port, second });
  };
  const ports = (): readonly number[] => reading.read(0).map(({ port }) => port);
  return { clock, reading, attempt, ports };
}

test("after a reading of 300 ms the next one is 3 s later, whoever asks meanwhile", () => {
  const { clock, reading, attempt, ports } = startReading();
  clock.readingMs = 300;
  attempt(1);
  assert.deepEqual(ports(), [1]);
  attempt(2);
  clock.nowMs += 2_999;
  assert.deepEqual(ports(), [1], "what was read is told again");
  reading.passOn([{ address: "198.19.1.3" as IpAddress, sandbox: "next" }], 0);
  assert.equal(clock.readings, 1);
  clock.nowMs += 1;
  assert.deepEqual(ports(), [1, 2]);
  assert.equal(clock.readings, 2);
});

test("a reading that takes no time has no rest", () => {
  const { clock, attempt, ports } = startReading();
  for (const port of [1, 2, 3]) {
    attempt(port);
    assert.equal(ports().length, port);
  }
  assert.equal(clock.readings, 3);
});

test("each rest is by the reading before it", () => {
  const { clock, ports } = startReading();
  clock.readingMs = 100;
  ports();
  clock.readingMs = 10;
  clock.nowMs += 1_000;
  ports();
  clock.nowMs += 100;
  ports();
  assert.equal(clock.readings, 3);
});
