// What on a bridge is the host's and no container's, by what the kernel says of ports and routes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type BridgePort,
  defaultRoutes4,
  defaultRoutes6,
  strangePort,
} from "../../../../src/core/classify/bridge-ports.ts";

describe("a port of a bridge", () => {
  const cases: readonly [BridgePort, string | undefined][] = [
    [{ name: "eth0", kind: undefined, inSandbox: undefined }, "eth0 (a physical device)"],
    [{ name: "bond0", kind: "bond", inSandbox: undefined }, "bond0 (bond)"],
    [{ name: "eth0.7", kind: "vlan", inSandbox: undefined }, "eth0.7 (vlan)"],
    [{ name: "vnet3", kind: "tun", inSandbox: undefined }, "vnet3 (tun)"],
    [{ name: "vx", kind: "vxlan", inSandbox: undefined }, "vx (vxlan)"],
    [{ name: "uplink", kind: "veth", inSandbox: false }, "uplink (a link that leads to no container)"],
    [{ name: "web0", kind: "veth", inSandbox: true }, undefined],
    [{ name: "web0", kind: "veth", inSandbox: undefined }, undefined],
  ];
  for (const [port, expected] of cases)
    it(`${port.name}, ${port.kind}, in a sandbox: ${port.inSandbox}`, () =>
      assert.equal(strangePort(port), expected));
});

describe("default routes", () => {
  const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
  const zero = "0".repeat(32);
  const six = (length: string, flags: string, device: string): string =>
    `${zero} ${length} ${zero} 00 ${zero} 00000400 00000001 00000000 ${flags}     ${device}\n`;
  const cases: readonly [what: string, found: readonly string[], expected: readonly string[]][] = [
    ["IPv4", defaultRoutes4(`${head}br0\t00000000\t010012C6\t0003\t0\t0\t0\t00000000\t0\t0\t0\n`), ["br0"]],
    ["a subnet's", defaultRoutes4(`${head}br0\t000012C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`), []],
    [
      "half of everything",
      defaultRoutes4(`${head}tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n`),
      [],
    ],
    ["a refused one", defaultRoutes4(`${head}*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n`), []],
    ["IPv6", defaultRoutes6(six("00", "00000003", "br0")), ["br0"]],
    ["IPv6 from a router advertisement", defaultRoutes6(six("00", "00450003", "br-app")), []],
    ["IPv6 nowhere", defaultRoutes6(six("00", "00200200", "lo")), []],
    ["no IPv6", defaultRoutes6(""), []],
  ];
  for (const [what, found, expected] of cases) it(what, () => assert.deepEqual(found, expected));
});
