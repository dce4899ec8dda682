// What a packet like a denied one would meet now, beside each denied connection.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { InForce } from "../../../../../src/control/api/context/in-force.ts";
import { type EndSources, endsNow as endsOf } from "../../../../../src/control/api/stats/ends-now.ts";
import type { Classification } from "../../../../../src/core/classify/networks.ts";
import type { DeniedRecord } from "../../../../../src/core/journal/denied-record.ts";
import type { LookupTally } from "../../../../../src/core/journal/lookups.ts";
import type { IpAddress } from "../../../../../src/core/model/address.ts";
import type { Container, Network } from "../../../../../src/core/model/topology.ts";
import { epochMs } from "../../../../../src/edge/kernel/monotonic.ts";
import { listOf, presets } from "../../../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../../../support/topologies.ts";

const home = bridgeNetwork("home", "198.19.1.0/24");
const gateway = "198.19.1.1" as IpAddress;
const web = runningContainer("web", "home", "198.19.1.2");
const ill = runningContainer("ill", "home", "198.19.1.3");
const lists = [listOf("www.example.com:443 203.0.113.0/24:80 !203.0.113.9 198.19.2.0/24 host:8080")];
const inForce: InForce = {
  topology: { networks: [home, bridgeNetwork("far", "198.19.2.0/24")], containers: [web, ill] },
  classification: {
    guarded: [{ ...guardedNetwork(home), bridge: "br-home", lists }],
    containers: {
      services: [{ containerId: "web", name: "web", addresses: [], lists: [listOf("10.0.0.1")] }],
    },
  } as unknown as Classification,
  quarantine: new Set(["ill"]),
  presets,
  uptimeMs: 0,
};

const cases: readonly [destination: string, port: number, change: Partial<DeniedRecord>, ends: string][] = [
  ["192.0.2.1", 443, {}, "dropped no-entry"],
  ["192.0.2.1", 443, { domains: ["www.example.com"] }, "dropped no-lookup"],
  ["192.0.2.7", 443, { domains: ["www.example.com"] }, "passes entry"],
  ["192.0.2.8", 80, { domains: ["www.example.com"] }, "dropped port"],
  ["192.0.2.1", 80, { domains: ["www.example.com"] }, "dropped port"],
  ["203.0.113.1", 80, {}, "passes entry"],
  ["203.0.113.9", 80, {}, "dropped taken-away"],
  ["10.0.0.1", 80, {}, "passes entry"],
  ["10.0.0.1", 80, { owner: undefined }, "dropped no-entry"],
  [gateway, 80, {}, "dropped host"],
  [gateway, 8080, {}, "passes host-entry"],
  ["198.19.2.7", 80, {}, "dropped other-network"],
  [
    "203.0.113.1",
    80,
    { owner: { name: "ill", containerId: "ill", networkId: "home" } },
    "dropped quarantine",
  ],
];

/** What web tried. */
function recordOf(destination: string, port: number, change: Partial<DeniedRecord> = {}): DeniedRecord {
  return {
    ...{ asker: "198.19.1.2" as IpAddress, destination: destination as IpAddress, protocol: 6, port },
    ...{ packets: 1, bytes: 40, lastSeenMs: 0, domains: [] },
    owner: { name: "web", containerId: "web", networkId: "home" },
    ...change,
  };
}

/** A lookup that web was answered. */
function lookup(domain: string, lastSeenMs: number, change: Partial<LookupTally> = {}): LookupTally {
  return {
    ...{ networkId: "home", asker: "198.19.1.2", container: { id: "web", name: "web" }, domain },
    ...{ type: undefined, allowed: true, trouble: undefined, count: 1, lastSeenMs },
    ...{ granted: [], refused: [], mayExist: true, ...change },
  };
}

function sourcesOf(
  lookups: readonly LookupTally[] = [],
  names: Readonly<Record<string, readonly string[]>> = {},
): EndSources {
  return {
    areOpen: async (packets) =>
      packets.map(
        ({ asker, destination, port }) => `${asker} ${destination} ${port}` === "198.19.1.2 192.0.2.7 443",
      ),
    hostAddresses: () => [gateway],
    bridgesFiltered: () => true,
    notForwarded: () => [],
    portProxies: () => undefined,
    leastLeaseSeconds: 360,
    history: {
      lookups: () => lookups,
      isGone: (id) => id === "job",
      namesOf: (id) =>
        new Map(id === "dns" ? (Object.entries(names) as [IpAddress, readonly string[]][]) : []),
    },
  };
}

const endNow = async (record: DeniedRecord, sources = sourcesOf(), now = inForce) =>
  (await endsOf([record], now, sources))(record);

for (const [destination, port, change, ends] of cases)
  test(`a connection to ${destination}:${port}, ${JSON.stringify(change)}: ${ends}`, async () => {
    const end = await endNow(recordOf(destination, port, change));
    assert.equal(`${end?.verdict} ${end?.step}`, ends);
  });

test("one of a network that is gone", async () => {
  const owner = { name: "web", containerId: "web", networkId: "gone" };
  assert.equal(await endNow(recordOf("192.0.2.1", 80, { owner })), undefined);
});

test("one whose lookup has run out: which name to look up again, and when it was", async () => {
  const domains = ["alias.example.com", "www.example.com"];
  const record = recordOf("192.0.2.1", 443, { domains, lastSeenMs: epochMs(366_000) });
  const of = (...lookups: readonly LookupTally[]) => endNow(record, sourcesOf(lookups));
  const looked = [
    lookup("www.example.com", 5_000),
    lookup("www.example.com", 3_000),
    lookup("www.example.com", 9_000, { allowed: false }),
    lookup("www.example.com", 9_000, { container: { id: "ill", name: "ill" } }),
  ];
  const advice =
    "look up www.example.com again; a program that keeps an address for longer than its lookup said loses it";
  const end = { verdict: "dropped", step: "no-lookup", advice };
  const { lookedUpMs, ...found } = (await of(...looked)) ?? {};
  assert.deepEqual(found, end);
  assert.ok(Math.abs((lookedUpMs ?? 0) - epochMs(5_000)) < 1_000, `${lookedUpMs}`);
  // In audit mode answers give names that nothing allowed.
  assert.deepEqual(await of(lookup("www.example.com", 5_000, { allowed: false })), end);
});

test("one that was dropped while a lookup was in force, or before it: that has not run out", async () => {
  const at = async (lastSeenMs: number, lookedUpMs: number) => {
    const record = recordOf("192.0.2.1", 443, {
      ...{ domains: ["www.example.com"], lastSeenMs: epochMs(lastSeenMs) },
    });
    return (await endNow(record, sourcesOf([lookup("www.example.com", lookedUpMs)])))?.lookedUpMs;
  };
  assert.notEqual(await at(361_000, 0), undefined);
  assert.equal(await at(359_000, 0), undefined);
  assert.equal(await at(1_000, 5_000), undefined);
});

test("one of a container that is gone: nothing", async () => {
  const owner = { name: "job", containerId: "job", networkId: "home" };
  const domains = ["www.example.com"];
  assert.equal(await endNow(recordOf("192.0.2.1", 443, { owner, domains })), undefined);
});

test("one whose lookup has run out, on a network that is internal: another lookup would not help", async () => {
  const topology = { ...inForce.topology, networks: [{ ...home, internal: true }] };
  const record = recordOf("192.0.2.1", 443, { domains: ["www.example.com"] });
  assert.deepEqual(await endNow(record, sourcesOf(), { ...inForce, topology }), {
    verdict: "dropped",
    step: "internal",
  });
});

test("one that another network of its container would let pass: which, and what to write", async () => {
  const back = bridgeNetwork("back", "198.19.3.0/24");
  const both: Container = {
    ...web,
    endpoints: [...web.endpoints, ...runningContainer("web", "back", "198.19.3.2").endpoints],
  };
  const on = (network: Network): InForce => ({
    ...inForce,
    topology: { networks: [home, network], containers: [both] },
    classification: {
      ...inForce.classification,
      guarded: [
        ...inForce.classification.guarded,
        {
          ...guardedNetwork(network),
          bridge: "br-back",
          lists: [listOf("api.example.com:443 192.0.2.9:80")],
        },
      ],
    },
  });
  const route = (entry: string): string =>
    `send by back: give it the highest gw_priority (Engine 28), or make home internal; or write ${entry} into dockerwall.allow of home or of this container alone`;
  const named = recordOf("192.0.2.1", 443, { domains: ["api.example.com"] });
  const end = { verdict: "dropped", step: "other-list" };
  assert.deepEqual(await endNow(named, sourcesOf(), on(back)), {
    ...end,
    advice: route("api.example.com:443/tcp"),
  });
  assert.deepEqual(await endNow(recordOf("192.0.2.9", 80), sourcesOf(), on(back)), {
    ...end,
    advice: route("192.0.2.9/32:80/tcp"),
  });
  // Docker sends nothing out by an internal network, whatever has priority.
  const internal = await endNow(named, sourcesOf(), on({ ...back, internal: true }));
  assert.deepEqual(internal, { verdict: "dropped", step: "no-entry" });
});

test("one to an address that a neighbour looked up: who, as what", async () => {
  const dns = runningContainer("dns", "home", "198.19.1.9");
  const far = runningContainer("dns", "far", "198.19.2.9");
  const end = (containers: readonly Container[], name: string) =>
    endNow(recordOf("192.0.2.1", 443), sourcesOf([], { "192.0.2.1": [name] }), {
      ...inForce,
      topology: { ...inForce.topology, containers: [web, ...containers] },
    });
  const held = { verdict: "dropped", step: "no-entry" };
  assert.deepEqual(await end([dns], "www.example.com"), {
    ...held,
    lookedUpBy: { container: "dns", name: "www.example.com" },
  });
  // Its own lookup would not open it either, or nobody on its network looked it up.
  assert.deepEqual(await end([dns], "other.example.com"), held);
  assert.deepEqual(await end([far], "www.example.com"), held);
});

test("stats: what is denied beside a list that cannot be read is told with the slip", async () => {
  const unread = 'network "home", label dockerwall.allow: entry "a..b" at column 1: no';
  const after = async (closes: boolean) => {
    const guarded = [
      { ...guardedNetwork(home), bridge: "br-home", lists: [...lists, { ...listOf(""), closes, unread }] },
    ];
    const { classification } = inForce;
    const { step, advice } =
      (await endNow(recordOf("192.0.2.1", 443), sourcesOf(), {
        ...inForce,
        classification: { ...classification, guarded },
      })) ?? {};
    return [step, advice];
  };
  const advice = `correct this first: ${unread}`;
  assert.deepEqual(await after(true), ["unreadable", advice]);
  assert.deepEqual(await after(false), ["no-entry", advice]);
});
