import assert from "node:assert/strict";
import { test } from "node:test";
import { type DatedEntry, dropRows } from "../../../../src/core/journal/drops.ts";
import { createLookupJournal } from "../../../../src/core/journal/lookups.ts";
import { buildReport } from "../../../../src/core/journal/report.ts";
import { type IpAddress, parsePrefix } from "../../../../src/core/model/address.ts";
import type { GuardedNetwork } from "../../../../src/core/model/guarded-network.ts";
import type { Topology } from "../../../../src/core/model/topology.ts";
import { unlabelled } from "../../../support/topologies.ts";

const ip = (text: string) => text as IpAddress;

function denied(entry: Partial<DatedEntry>): DatedEntry {
  return {
    asker: ip("198.18.1.2"),
    destination: ip("203.0.113.9"),
    protocol: 6,
    port: 443,
    packets: 1,
    bytes: 60,
    lastSeenMs: 500,
    ...entry,
  };
}

const services: readonly (readonly [protocol: number, port: number, service: string])[] = [
  [6, 443, "tcp:443"],
  [17, 53, "udp:53"],
  [132, 9, "sctp:9"],
  [1, 0x0800, "icmp:echo-request"],
  [1, 0x2a01, "icmp:42/1"],
  [58, 0x8000, "ipv6-icmp:echo-request"],
  [47, 0, "gre:0"],
  [99, 0, "99:0"],
];

for (const [protocol, port, service] of services) {
  test(`drops: protocol ${protocol}, port ${port} is ${service}`, () => {
    const [row] = dropRows([denied({ protocol, port })], {
      containerOf: () => "web",
      domainOf: () => undefined,
    });
    assert.deepEqual(row, {
      address: "198.18.1.2",
      container: "web",
      destination: "203.0.113.9",
      service,
      packets: 1,
      bytes: 60,
      lastSeenMs: 500,
      domain: undefined,
    });
  });
}

function network(id: string, name: string, ...subnets: string[]): GuardedNetwork {
  const prefixes = subnets.map((subnet) => parsePrefix(subnet)).filter((prefix) => prefix !== undefined);
  return {
    id,
    name,
    subnets: prefixes,
    gateways: [],
    lists: [],
    labels: unlabelled,
  };
}

const topology: Topology = {
  networks: [],
  containers: [
    {
      id: "c1",
      name: "web",
      labels: {},
      running: true,
      networkMode: "app",
      sandbox: undefined,
      configured: [],
      hazards: [],
      endpoints: [
        { networkId: "n1", addresses: [ip("198.18.1.2"), ip("2001:db8:1::2")], aliases: [], links: [] },
      ],
    },
  ],
};

test("report: networks by name, rows by address as a number, drops named by what their asker was granted", () => {
  const journal = createLookupJournal({ ttlSeconds: 60 });
  const event = { networkId: "n1", allowed: true, atMs: 1000, granted: [] };
  journal.record(
    [
      { ...event, asker: ip("198.18.1.10"), domain: "z.example.com" },
      { ...event, asker: ip("198.18.1.2"), domain: "b.example.com", granted: [ip("203.0.113.1")] },
      { ...event, asker: ip("198.18.1.2"), domain: "a.example.com", allowed: false },
      { ...event, asker: ip("198.18.1.2"), domain: "a.example.com" },
      { ...event, asker: ip("198.18.1.9"), domain: "gone.example.com", networkId: "removed" },
    ],
    1000,
  );
  const report = buildReport({
    topology,
    guarded: [
      network("n2", "quiet", "198.18.2.0/24"),
      network("n1", "app", "198.18.1.0/24", "2001:db8:1::/64"),
    ],
    journal,
    denied: [
      denied({ destination: ip("203.0.113.1"), port: 22, packets: 2 }),
      denied({ packets: 7 }),
      denied({ asker: ip("2001:db8:1::2"), destination: ip("2001:db8:9::1") }),
      denied({ asker: ip("192.0.2.77") }),
    ],
    nowMs: 2000,
  });
  const seen = { count: 1, lastSeenMs: 1000 };
  const drop = {
    container: "web",
    destination: "203.0.113.9",
    service: "tcp:443",
    packets: 1,
    bytes: 60,
    lastSeenMs: 500,
    domain: undefined,
  };
  assert.deepEqual(report, {
    generatedAtMs: 2000,
    networks: [
      {
        network: "app",
        mode: "enforce",
        subnets: ["198.18.1.0/24", "2001:db8:1::/64"],
        lookups: [
          { address: "198.18.1.2", container: "web", domain: "a.example.com", allowed: true, ...seen },
          { address: "198.18.1.2", container: "web", domain: "a.example.com", allowed: false, ...seen },
          { address: "198.18.1.2", container: "web", domain: "b.example.com", allowed: true, ...seen },
          { address: "198.18.1.10", container: undefined, domain: "z.example.com", allowed: true, ...seen },
        ],
        drops: [
          { ...drop, address: "198.18.1.2", packets: 7 },
          {
            ...drop,
            address: "198.18.1.2",
            destination: "203.0.113.1",
            service: "tcp:22",
            packets: 2,
            domain: "b.example.com",
          },
          { ...drop, address: "2001:db8:1::2", destination: "2001:db8:9::1" },
        ],
      },
      { network: "quiet", mode: "enforce", subnets: ["198.18.2.0/24"], lookups: [], drops: [] },
    ],
  });
});
