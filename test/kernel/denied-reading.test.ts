// A denied set that somebody fills: it is read in part, kept small, and the quiet one's records stay.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createDeniedReading } from "../../src/control/denied-counters.ts";
import type { IpAddress } from "../../src/core/model/address.ts";
import { createSets } from "../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../src/edge/kernel/ipset/kernel-sets.ts";
import { flushSet } from "../support/flush-set.ts";
import { enterNamespaces } from "../support/namespace.ts";

enterNamespaces(import.meta.url);

const sets = openKernelSets();
createSets(sets);

const families = [
  {
    set: "dockerwall-denied4",
    address: (index: number) => `198.19.${1 + (index >> 8)}.${index & 255}`,
    quiet: "198.18.0.2",
  },
  {
    set: "dockerwall-denied6",
    address: (index: number) => `2001:db8:1::${index.toString(16)}`,
    quiet: "2001:db8:2::2",
  },
] as const;

for (const { set, address, quiet } of families)
  test(`${set} is trimmed to what each may have`, () => {
    const keyOf = (asker: string, port: number) =>
      ({
        kind: "ip-port-ip",
        first: asker as IpAddress,
        protocol: 6,
        port,
        second: "203.0.113.9" as IpAddress,
      }) as const;
    const second = set.endsWith("4") ? "203.0.113.9" : "2001:db8:99::9";
    const add = (asker: string, count: number): void =>
      sets.add(
        set,
        Array.from({ length: count }, (_, port) => ({
          key: { ...keyOf(asker, port + 1), second: second as IpAddress },
        })),
      );
    add(quiet, 5);
    for (let index = 1; index <= 80; index++) add(address(index), 250);
    const reading = createDeniedReading(
      sets,
      (asker) => (asker === quiet ? "quiet" : "loud"),
      () => 0,
    );
    const kept = reading.read(1_000);
    assert.equal(kept.filter(({ asker }) => asker === quiet).length, 5);
    assert.equal(kept.length, 8_160 + 5);
    assert.equal(sets.list(set).length, 8_160 + 5);
    assert.deepEqual(reading.full(), []);
    const some = sets.list(set, 1_000);
    assert.ok(some.length >= 1_000 && some.length < 2_000, `${some.length}`);
    flushSet(sets, set);
  });
