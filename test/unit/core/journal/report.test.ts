import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeniedRecord } from "../../../../src/core/journal/denied-record.ts";
import { dropRows } from "../../../../src/core/journal/drops.ts";
import type { LookupTally } from "../../../../src/core/journal/lookups.ts";
import { buildReport } from "../../../../src/core/journal/report.ts";
import { type IpAddress, parsePrefix } from "../../../../src/core/model/address.ts";
import type { GuardedNetwork } from "../../../../src/core/model/guarded-network.ts";
import { unlabelled } from "../../../support/topologies.ts";

const ip = (text: string) => text as IpAddress;

const web = { name: "web", containerId: "c1", networkId: "n1" };

function denied(entry: Partial<DeniedRecord>): DeniedRecord {
  return {
    asker: ip("198.18.1.2"),
    destination: ip("203.0.113.9"),
    protocol: 6,
    port: 443,
    packets: 1,
    bytes: 60,
    lastSeenMs: 500,
    owner: web,
    domains: [],
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
    const [row] = dropRows(
      [denied({ protocol, port })],
      () => false,
      () => undefined,
    );
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

function tally(row: Partial<LookupTally>): LookupTally {
  return {
    networkId: "n1",
    asker: "198.18.1.2",
    container: { id: "c1", name: "web" },
    domain: "a.example.com",
    type: undefined,
    allowed: true,
    trouble: undefined,
    count: 1,
    lastSeenMs: 1000,
    granted: [],
    refused: [],
    mayExist: true,
    ...row,
  };
}

test("report: networks by name, rows by address as a number, each with who did it", () => {
  const report = buildReport({
    guarded: [
      network("n2", "quiet", "198.18.2.0/24"),
      network("n1", "app", "198.18.1.0/24", "2001:db8:1::/64"),
    ],
    lookups: [
      tally({ asker: "198.18.1.10", container: undefined, domain: "z.example.com" }),
      tally({ domain: "b.example.com", container: { id: "c0", name: "web" } }),
      tally({ type: "TXT", allowed: false, trouble: "type" }),
      tally({ allowed: false }),
      tally({}),
    ],
    denied: [
      denied({
        destination: ip("203.0.113.1"),
        port: 22,
        packets: 2,
        domains: ["a.example.com", "b.example.com"],
      }),
      denied({ packets: 7 }),
      // On an open network, and at an address that nobody is known to have had.
      denied({ asker: ip("192.0.2.77"), owner: { ...web, name: "both", containerId: "c2" } }),
      denied({ asker: ip("2001:db8:1::2"), destination: ip("2001:db8:9::1"), owner: undefined }),
      denied({ asker: ip("192.0.2.78"), owner: undefined }),
      denied({ owner: { ...web, networkId: "removed" } }),
      // Two lives of one address.
      denied({ owner: { ...web, containerId: "c0" }, packets: 1, lastSeenMs: 400 }),
      denied({
        owner: { ...web, containerId: "c0" },
        packets: 2,
        lastSeenMs: 300,
        domains: ["old.example.com"],
      }),
    ],
    isGone: (id) => id === "c0",
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
  const at = { address: "198.18.1.2", container: "web" };
  assert.deepEqual(report, {
    generatedAtMs: 2000,
    networks: [
      {
        network: "app",
        mode: "enforce",
        subnets: ["198.18.1.0/24", "2001:db8:1::/64"],
        lookups: [
          { ...at, domain: "a.example.com", allowed: true, ...seen },
          { ...at, domain: "a.example.com", allowed: false, ...seen },
          { ...at, domain: "a.example.com", type: "TXT", allowed: false, trouble: "type", ...seen },
          { ...at, gone: true, domain: "b.example.com", allowed: true, ...seen },
          { address: "198.18.1.10", container: undefined, domain: "z.example.com", allowed: true, ...seen },
        ],
        drops: [
          { ...drop, address: "192.0.2.77", container: "both" },
          { ...drop, address: "198.18.1.2", packets: 7 },
          {
            ...drop,
            address: "198.18.1.2",
            gone: true,
            packets: 3,
            bytes: 120,
            lastSeenMs: 400,
            domain: "old.example.com",
          },
          {
            ...drop,
            address: "198.18.1.2",
            destination: "203.0.113.1",
            service: "tcp:22",
            packets: 2,
            domain: "b.example.com",
          },
          { ...drop, address: "2001:db8:1::2", container: undefined, destination: "2001:db8:9::1" },
        ],
      },
      { network: "quiet", mode: "enforce", subnets: ["198.18.2.0/24"], lookups: [], drops: [] },
    ],
  });
});
