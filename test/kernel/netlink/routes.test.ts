// Which way a sandbox would send: by its routes, its rules and its addresses, as the kernel itself picks them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { readRoute } from "../../../src/edge/kernel/netlink/routes.ts";
import { createNamespace, enterNamespaces, type TestNamespace } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const box = createNamespace("box");
const commands = [
  "link set lo up",
  "link add eth0 type veth peer name far0",
  "link add eth1 type veth peer name far1",
  ...["eth0", "far0", "eth1", "far1"].map((name) => `link set ${name} up`),
  "addr add 198.19.1.2/24 dev eth0",
  "addr add 2001:db8:1::2/64 dev eth0 nodad",
  "addr add 198.19.2.2/24 dev eth1",
  "route add default via 198.19.1.1",
  "route add 203.0.113.0/24 via 198.19.2.1 src 198.19.1.2",
  "route add unreachable 192.0.2.0/25",
  "route add blackhole 192.0.2.128/26",
  "route add prohibit 192.0.2.192/26",
  "rule add dport 9000 ipproto udp table 77",
  "route add default via 198.19.2.1 table 77",
];
for (const command of commands) box.run("ip", ...command.split(" "));

/** On one network: to a group that both have, the kernel takes either. */
const single = createNamespace("single");
for (const command of [
  "link add eth0 type veth peer name far0",
  "link set far0 up",
  "link set eth0 addrgenmode none up",
  "addr add fe80::2/64 dev eth0 nodad",
  "addr add 2001:db8:1::2/64 dev eth0 nodad",
])
  single.run("ip", ...command.split(" "));

/** `DEVICE of KIND from SOURCE`. */
function wayTo(
  address: string,
  port?: number,
  ipProtocol = 6,
  { fd }: Pick<TestNamespace, "fd"> = box,
): string {
  const route = readRoute(fd, { address: address as IpAddress, ipProtocol, port });
  return route.kind === "device"
    ? `${route.link.name} of ${route.link.kind} from ${route.source}${route.toAll === true ? " to all" : ""}`
    : route.kind;
}

describe("the way out of a sandbox", () => {
  const cases: readonly [what: string, way: () => string, expected: string][] = [
    ["a neighbour", () => wayTo("198.19.1.3"), "eth0 of veth from 198.19.1.2"],
    ["one on another interface", () => wayTo("198.19.2.3"), "eth1 of veth from 198.19.2.2"],
    ["outside", () => wayTo("198.51.100.1", 443), "eth0 of veth from 198.19.1.2"],
    ["by a route that picks the source", () => wayTo("203.0.113.1"), "eth1 of veth from 198.19.1.2"],
    ["by a rule", () => wayTo("198.51.100.1", 9000, 17), "eth1 of veth from 198.19.2.2"],
    [
      "not by the rule of another protocol",
      () => wayTo("198.51.100.1", 9000),
      "eth0 of veth from 198.19.1.2",
    ],
    ["its own address", () => wayTo("198.19.2.2"), "inside"],
    ["loopback", () => wayTo("127.0.0.1"), "inside"],
    ["unreachable", () => wayTo("192.0.2.1"), "none"],
    ["swallowed", () => wayTo("192.0.2.129"), "none"],
    ["forbidden", () => wayTo("192.0.2.193"), "none"],
    ["broadcast", () => wayTo("198.19.1.255"), "eth0 of veth from 198.19.1.2 to all"],
    ["broadcast, wherever it is", () => wayTo("255.255.255.255"), "eth0 of veth from 198.19.1.2 to all"],
    ["multicast", () => wayTo("239.255.255.250", 1900, 17), "eth0 of veth from 198.19.1.2 to all"],
    [
      "multicast of IPv6 that is routed",
      () => wayTo("ff05::9", 9000, 17, single),
      "eth0 of veth from 2001:db8:1::2 to all",
    ],
    [
      "multicast of IPv6 on the link",
      () => wayTo("ff02::1", 9000, 17, single),
      "eth0 of veth from fe80::2 to all",
    ],
    ["a neighbour by IPv6", () => wayTo("2001:db8:1::3"), "eth0 of veth from 2001:db8:1::2"],
    ["its own address of IPv6", () => wayTo("2001:db8:1::2"), "inside"],
    ["loopback of IPv6", () => wayTo("::1"), "inside"],
    ["outside by IPv6, without a route", () => wayTo("2001:db8:2::1"), "none"],
  ];
  for (const [what, way, expected] of cases) it(what, () => assert.equal(way(), expected));
});
