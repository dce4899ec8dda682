import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Classification } from "../../../../../src/core/classify/networks.ts";
import { hostMembers } from "../../../../../src/core/firewall/entries/host.ts";
import { type IpAddress, parsePrefix, renderPrefix } from "../../../../../src/core/model/address.ts";
import type { EntryList } from "../../../../../src/core/policy/entry-list.ts";
import { listOf } from "../../../../support/policies.ts";

interface Given {
  /** Lists of the network 198.19.1.0/24, 2001:db8:1::/64. */
  readonly network?: readonly string[];
  /** Lists of the container 198.19.1.2, 2001:db8:1::2. */
  readonly container?: readonly string[];
  /** Of a container at 198.19.9.2, where nothing is guarded, the lists on each of its guarded networks. */
  readonly unguarded?: readonly (readonly string[])[];
}

/** A list by its text; `closed` is one that could not be read and may have taken something away. */
const listNamed = (text: string): EntryList =>
  text === "closed" ? { ...listOf(""), closes: true } : listOf(text);

function membersOf({ network = [], container, unguarded = [] }: Given): readonly string[] {
  const subnets = ["198.19.1.0/24", "2001:db8:1::/64"].flatMap((text) => parsePrefix(text) ?? []);
  const addresses = ["198.19.1.2", "2001:db8:1::2"] as IpAddress[];
  const classification = {
    guarded: [
      { name: "web", subnets, lists: network.map(listNamed) },
      { name: "other", subnets: [parsePrefix("198.19.2.0/24")], lists: [listOf("host:9")] },
    ],
    containers: {
      services: container === undefined ? [] : [{ name: "c", addresses, lists: container.map(listNamed) }],
      unguarded: [
        {
          ...{ name: "d", addresses: ["198.19.9.2"] },
          policies: unguarded.map((texts) => texts.map(listNamed)),
        },
      ],
    },
  } as unknown as Classification;
  return hostMembers(classification)
    .filter(({ comment }) => comment !== "other")
    .map(
      ({ prefix, service, comment, exception }) =>
        `${exception ? "not " : ""}${renderPrefix(prefix)} ${service.protocol}:${service.port} ${comment}`,
    )
    .filter((line) => !line.includes("2001:db8:1:"));
}

const cases: readonly [name: string, given: Given, members: readonly string[]][] = [
  ["nothing", {}, []],
  ["names and addresses are not the host's", { network: ["a.example.com 198.19.1.1:22"] }, []],
  [
    "a port of either protocol",
    { network: ["host:53"] },
    ["198.19.1.0/24 6:53 web", "198.19.1.0/24 17:53 web"],
  ],
  ["one protocol", { network: ["host:22/tcp"] }, ["198.19.1.0/24 6:22 web"]],
  [
    "a range",
    { network: ["host:1-3/udp"] },
    ["198.19.1.0/24 17:1 web", "198.19.1.0/24 17:2 web", "198.19.1.0/24 17:3 web"],
  ],
  [
    "lists together, each port once",
    { network: ["host:1-2/tcp", "host:2-3/tcp"] },
    ["198.19.1.0/24 6:1 web", "198.19.1.0/24 6:2 web", "198.19.1.0/24 6:3 web"],
  ],
  [
    "`!` takes away, from every list",
    { network: ["host:1-3/tcp !host:2", "host:2/tcp !host:3/tcp"] },
    ["198.19.1.0/24 6:1 web"],
  ],
  [
    "`!` of another protocol takes nothing",
    { network: ["host:1/tcp !host:1/udp"] },
    ["198.19.1.0/24 6:1 web"],
  ],
  ["`!` alone", { network: ["!host:1"] }, []],
  ["a container's own", { container: ["host:22/tcp"] }, ["198.19.1.2/32 6:22 c"]],
  [
    "a container's own beside its network's",
    { network: ["host:1/tcp"], container: ["host:2/tcp"] },
    ["198.19.1.0/24 6:1 web", "198.19.1.2/32 6:2 c"],
  ],
  [
    "the network takes away what the container was given",
    { network: ["!host:2"], container: ["host:1-2/tcp"] },
    ["198.19.1.2/32 6:1 c"],
  ],
  [
    "the container loses what its network has",
    { network: ["host:1-2/tcp"], container: ["!host:2"] },
    ["198.19.1.0/24 6:1 web", "198.19.1.0/24 6:2 web", "not 198.19.1.2/32 6:2 c"],
  ],
  [
    "no exception from what the network has not",
    { network: ["host:1/tcp !host:2"], container: ["!host:2 !host:3"] },
    ["198.19.1.0/24 6:1 web"],
  ],
  [
    "a container's `!` wins over its own grant",
    { network: ["host:1/tcp"], container: ["host:1-2/tcp", "!host:1-2"] },
    ["198.19.1.0/24 6:1 web", "not 198.19.1.2/32 6:1 c"],
  ],
  ["nothing where the network's list is closed", { network: ["host:1/tcp", "closed"] }, []],
  [
    "nor for a container on it that has a list of its own",
    { network: ["closed"], container: ["host:1/tcp"] },
    [],
  ],
  [
    "a closed container loses what its network has, and what it has itself",
    { network: ["host:1/tcp"], container: ["host:2/tcp", "closed"] },
    ["198.19.1.0/24 6:1 web", "not 198.19.1.2/32 6:1 c"],
  ],
  [
    "on a network that is not guarded, what the lists of any of its guarded networks open",
    {
      unguarded: [
        ["host:1-3/tcp", "!host:2"],
        ["host:2-4/tcp", "!host:3"],
        ["host:5/tcp", "closed"],
      ],
    },
    ["198.19.9.2/32 6:1 d", "198.19.9.2/32 6:3 d", "198.19.9.2/32 6:2 d", "198.19.9.2/32 6:4 d"],
  ],
];

describe("hostMembers", () => {
  for (const [name, given, members] of cases) it(name, () => assert.deepEqual(membersOf(given), members));
  it("has the same of IPv6", () => {
    const classification = {
      guarded: [{ name: "web", subnets: [parsePrefix("2001:db8:1::/64")], lists: [listOf("host:1/tcp")] }],
      containers: {
        services: [{ name: "c", addresses: ["2001:db8:1::2"], lists: [listOf("!host:1")] }],
        unguarded: [],
      },
    } as unknown as Classification;
    assert.deepEqual(
      hostMembers(classification).map(({ prefix, exception }) => [renderPrefix(prefix), exception]),
      [
        ["2001:db8:1::/64", undefined],
        ["2001:db8:1::2/128", true],
      ],
    );
  });
});
