// Large sets are read by portions: other work of the thread is done between them, and nothing is missed or told twice.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { readObservation } from "../../../src/control/api/context/observation.ts";
import { kernelEntries } from "../../../src/control/api/explain/in-kernel.ts";
import { listRights } from "../../../src/control/api/overrides/kernel-rights.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import type { SetSpec } from "../../../src/core/firewall/sets.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { isSetMissing } from "../../../src/edge/kernel/ipset/error.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import type { SetEntry } from "../../../src/edge/kernel/ipset/message.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { bridgeNetwork, guardedNetwork } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

const count = 200_000;
/** Entries of grants that something has passed by. */
const used = 10;
/** Some 40 ms by one call. */
const mostBetweenTurns = 5_000;
const asker = "198.19.1.2" as IpAddress;
const sets = openKernelSets();
const network = guardedNetwork(bridgeNetwork("app", "198.19.1.0/24"));

function entry(index: number): SetEntry {
  const first = `203.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}` as IpAddress;
  return { key: { kind: "ip-port-ip", first, protocol: 6, port: 443, second: asker }, comment: "a.example" };
}

before(() => {
  createSets(sets);
  sets.add(
    setNames.grant4,
    Array.from({ length: count - used }, (_, index) => entry(index)),
  );
  // As a rule counts them.
  for (let index = 0; index < used; index++)
    run("ipset", "add", setNames.grant4, `198.51.100.${index},tcp:443,${asker}`, "packets", "5");
});

/** How often the thread was given back until it was done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let next = setImmediate(function again() {
    turns += 1;
    next = setImmediate(again);
  });
  await work();
  clearImmediate(next);
  return turns;
}

const history = { lookups: () => [], denied: () => [], namesOf: () => new Map() };
const holder = { containerId: "c", networkId: "app", name: "c", sandbox: undefined, sinceMs: 0 };
/** Each with how much it finds. */
const commands: Readonly<Record<string, readonly [run: () => Promise<number>, found: number]>> = {
  explain: [
    async () => {
      const destinations = new Set(["203.0.1.0", "203.0.2.0"]);
      const scope = { askers: new Set([asker]), destinations, sent: { ipProtocol: 6, port: 443 } };
      return (await kernelEntries(scope, { sets })).length;
    },
    2,
  ],
  "allow and deny": [async () => (await listRights(sets, new Set([asker]))).length, count],
  "suggest and replay": [
    async () => {
      const sources = { sets, history: { ...history, holderOf: () => holder } };
      return (await readObservation(network, [network], sources)).connections.length;
    },
    used,
  ],
};

for (const [name, [command, expected]] of Object.entries(commands))
  test(`${name}: the thread does other work while they read`, async () => {
    let found = 0;
    const turns = await turnsDuring(async () => {
      found = await command();
    });
    assert.ok(turns >= count / mostBetweenTurns, `${turns} turns`);
    assert.equal(found, expected);
  });

test("each portion is short, and what stays is told once while entries come and go and the table grows", async () => {
  const spec: SetSpec = {
    ...{ name: "growing", type: "hash:ip,port,ip", family: 4, timeoutSeconds: 0, counters: true },
    ...{ comments: true, hashSize: 1024, maxEntries: 200_000 },
  };
  sets.create(spec);
  const stays = Array.from({ length: 20_000 }, (_, index) => entry(index));
  const goes = Array.from({ length: 5_000 }, (_, index) => entry((1 << 17) + index));
  sets.add(spec.name, [...stays, ...goes]);
  const seen = new Map<string, number>();
  let portions = 0;
  for await (const entries of sets.portions(spec.name)) {
    assert.ok(entries.length <= mostBetweenTurns);
    for (const { key } of entries) {
      assert.ok(key.kind === "ip-port-ip");
      seen.set(key.first, (seen.get(key.first) ?? 0) + 1);
    }
    const from = portions * 1_000;
    portions += 1;
    if (from < 100_000)
      sets.add(
        spec.name,
        Array.from({ length: 1_000 }, (_, index) => entry((1 << 18) + from + index)),
      );
    sets.del(
      spec.name,
      goes.slice(from / 4, from / 4 + 250).map(({ key }) => key),
    );
  }
  const notOnce = stays.filter(({ key }) => key.kind !== "ip-port-ip" || seen.get(key.first) !== 1);
  assert.deepEqual(notOnce, []);
  assert.deepEqual(
    [...seen.values()].filter((times) => times > 1),
    [],
  );
  sets.destroy(spec.name);
});

test("a set that is being read is destroyed all the same, and the reading ends with an error", async () => {
  const spec: SetSpec = {
    ...{ name: "ending", type: "hash:ip,port,ip", family: 4, timeoutSeconds: 0, counters: true },
    ...{ comments: true, hashSize: 1024, maxEntries: 65_536 },
  };
  sets.create(spec);
  sets.add(
    spec.name,
    Array.from({ length: 20_000 }, (_, index) => entry(index)),
  );
  const reading = sets.portions(spec.name)[Symbol.asyncIterator]();
  await reading.next();
  sets.destroy(spec.name);
  assert.ok(!sets.names().includes(spec.name));
  await assert.rejects(reading.next(), isSetMissing);
  await assert.rejects(sets.portions(spec.name)[Symbol.asyncIterator]().next(), isSetMissing);
});
