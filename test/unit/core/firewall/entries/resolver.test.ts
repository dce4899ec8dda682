import assert from "node:assert/strict";
import { test } from "node:test";
import type { Classification } from "../../../../../src/core/classify/networks.ts";
import { resolverMembers } from "../../../../../src/core/firewall/entries/resolver.ts";
import { type IpAddress, parsePrefix, renderPrefix } from "../../../../../src/core/model/address.ts";
import { listOf } from "../../../../support/policies.ts";

function membersOf(network: string, container?: string, unguarded?: string): readonly string[] {
  const subnets = ["198.19.1.0/24", "2001:db8:1::/64"].flatMap((text) => parsePrefix(text) ?? []);
  const addresses = ["198.19.1.2"] as IpAddress[];
  const classification = {
    guarded: [{ name: "web", subnets, lists: [listOf(network)] }],
    containers: {
      services: container === undefined ? [] : [{ name: "c", addresses, lists: [listOf(container)] }],
      unguarded:
        unguarded === undefined
          ? []
          : [{ name: "d", addresses: ["198.19.9.2"], policies: [[listOf(network), listOf(unguarded)]] }],
    },
  } as unknown as Classification;
  return resolverMembers(classification).map(
    ({ server, service, prefix, exception }) =>
      `${exception ? "not " : ""}${server} ${service.protocol}:${service.port} ${renderPrefix(prefix)}`,
  );
}

const cases: readonly [
  name: string,
  network: string,
  container: string | undefined,
  members: readonly string[],
  unguarded?: string,
][] = [
  ["an address with port 53", "203.0.113.9:53/udp", undefined, ["203.0.113.9 17:53 198.19.1.0/24"]],
  [
    "both protocols, for those of its family",
    "[2001:db8::9]:53",
    undefined,
    ["2001:db8::9 6:53 2001:db8:1::/64", "2001:db8::9 17:53 2001:db8:1::/64"],
  ],
  ["a container's own", "", "203.0.113.9:53/tcp", ["203.0.113.9 6:53 198.19.1.2/32"]],
  ["nothing that does not write port 53", "203.0.113.9 203.0.113.8:50-60 203.0.113.7/udp", undefined, []],
  ["no range of addresses", "203.0.113.0/24:53 0.0.0.0/0:53", undefined, []],
  ["nothing that is taken away", "!203.0.113.9:53", undefined, []],
  ["nothing that leads to what is taken away", "[64:ff9b::203.0.113.9]:53 !203.0.113.0/24", undefined, []],
  [
    "what is left of one",
    "203.0.113.9:53 203.0.113.8:53 !203.0.113.9:53/tcp !203.0.113.8",
    undefined,
    ["203.0.113.9 17:53 198.19.1.0/24"],
  ],
  [
    "nothing that the network takes away from a container's own",
    "!203.0.113.0/24:53/udp",
    "203.0.113.9:53",
    ["203.0.113.9 6:53 198.19.1.2/32"],
  ],
  [
    "an exception for a container whose own list takes it away",
    "203.0.113.9:53/tcp",
    "!203.0.113.9",
    ["203.0.113.9 6:53 198.19.1.0/24", "not 203.0.113.9 6:53 198.19.1.2/32"],
  ],
  [
    "for a container's address where nothing is guarded",
    "203.0.113.9:53/tcp 203.0.113.8:53/udp",
    undefined,
    [
      ...["203.0.113.9 6:53 198.19.1.0/24", "203.0.113.8 17:53 198.19.1.0/24"],
      ...["203.0.113.9 6:53 198.19.9.2/32", "203.0.113.7 17:53 198.19.9.2/32"],
    ],
    "203.0.113.7:53/udp !203.0.113.8",
  ],
  ["no name: its addresses come with answers", "ns1.example.com:53", undefined, []],
];
for (const [name, network, container, members, unguarded] of cases)
  test(`servers that entries name: ${name}`, () =>
    assert.deepEqual(membersOf(network, container, unguarded), members));
