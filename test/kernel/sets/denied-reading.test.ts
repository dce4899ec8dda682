// A denied set that a container fills: it is read in part, kept small, and the quiet one's records stay.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { createDeniedReading } from "../../../src/control/history/denied.ts";
import { createPastDenied } from "../../../src/control/history/past.ts";
import { createHolders } from "../../../src/core/journal/holders.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { flushSet } from "../../support/flush-set.ts";
import { enterNamespaces } from "../../support/namespace.ts";
import { bridgeNetwork, runningContainer } from "../../support/topologies.ts";

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
    const reading = createDeniedReading({
      sets,
      holders: createHolders(() => undefined),
      past: createPastDenied(sets, 0),
      networkAt: (asker) => ({ id: asker === quiet ? "quiet" : "loud", sinceMs: 0 }),
      namesOf: () => new Map(),
      clockMs: () => 0,
    });
    const kept = reading.read(1_000);
    assert.equal(kept.filter(({ asker }) => asker === quiet).length, 5);
    assert.equal(kept.length, 8_160 + 5);
    assert.equal(sets.list(set).length, 8_160 + 5);
    assert.deepEqual(reading.full(), []);
    const some = sets.list(set, 1_000);
    assert.ok(some.length >= 1_000 && some.length < 2_000, `${some.length}`);
    flushSet(sets, set);
  });

test("a note beside an entry leaves its count as it is, and says when it was last tried", () => {
  const [asker, destination] = ["198.18.0.2" as IpAddress, "203.0.113.9" as IpAddress];
  const name = "dockerwall-denied4";
  // As the rule adds it, and then counts.
  execFileSync("ipset", ["add", name, `${asker},tcp:443,${destination}`, "packets", "7", "bytes", "420"]);
  const holders = createHolders(() => undefined);
  const container = runningContainer("0123456789abcdef", "fedcba9876543210", asker);
  const networks = [bridgeNetwork("fedcba9876543210", "198.18.0.0/24")];
  holders.learn({ networks, containers: [container] }, new Set(["fedcba9876543210"]), 0);
  const reading = createDeniedReading({
    sets,
    holders,
    past: createPastDenied(sets, 0),
    networkAt: () => undefined,
    namesOf: () => new Map([[destination, ["www.example.com"]]]),
    clockMs: () => 0,
  });
  reading.read(1_000);
  const [entry] = sets.list(name);
  assert.deepEqual(
    [entry?.packets, entry?.bytes, entry?.comment],
    [7, 420, "0123456789abcdef 0123456789ab fedcba987654 7 www.example.com"],
  );
  assert.ok((entry?.timeoutSeconds ?? 0) > 86_390);
  reading.passOn([{ address: asker, sandbox: "next" }], 2_000);
  assert.deepEqual(sets.list(name), []);
  const [kept] = createPastDenied(sets, 2_000).records(2_000);
  assert.deepEqual(kept, {
    ...{ asker, destination, protocol: 6, port: 443, packets: 7, bytes: 420, lastSeenMs: kept?.lastSeenMs },
    owner: { name: "0123456789abcdef", containerId: "0123456789ab", networkId: "fedcba987654" },
    domains: ["www.example.com"],
  });
  flushSet(sets, "dockerwall-past");
});
