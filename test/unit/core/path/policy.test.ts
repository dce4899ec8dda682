// What lists say of a packet, by the network that it leaves by.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Membership } from "../../../../src/core/askers/standing.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { judgeAddress, judgeName, type PolicyFinding } from "../../../../src/core/path/policy.ts";
import { decidePacket } from "../../../../src/core/policy/decide/packet.ts";
import { policyOf } from "../../../support/policies.ts";
import { unlabelled } from "../../../support/topologies.ts";

const destination = "203.0.113.7" as IpAddress;

function memberOf(name: string, allow: string): Membership {
  const policy = policyOf(name, allow);
  const place = { networkId: name, networkName: name, internal: false, addresses: [], gateways: [] };
  return { ...place, policy, labels: unlabelled };
}

const told = ({ reason, by }: PolicyFinding): string[] => [reason, ...(by === undefined ? [] : [by.entry])];

describe("what lists say of a name", () => {
  const cases: readonly [allow: string, port: number | undefined, expected: string[]][] = [
    ["www.example.com", 443, ["entry", "www.example.com"]],
    ["www.example.com:443/tcp", 443, ["entry", "www.example.com:443/tcp"]],
    ["*.example.com:80 www.example.com:443", 443, ["entry", "www.example.com:443"]],
    ["www.example.com:443/udp", 443, ["port", "www.example.com:443/udp"]],
    ["www.example.com:80", undefined, ["entry", "www.example.com:80"]],
    ["www.example.com:80/udp", undefined, ["port", "www.example.com:80/udp"]],
    ["api.example.com", 443, ["no-entry"]],
    // A right to every port leads no lookup past us.
    ["www.example.com", 53, ["port", "www.example.com"]],
    ["www.example.com:53", 53, ["entry", "www.example.com:53"]],
    ["www.example.com@203.0.113.0/24:443", 443, ["entry", "www.example.com@203.0.113.0/24:443"]],
    ["www.example.com@198.51.100.0/24:443", 443, ["port", "www.example.com@198.51.100.0/24:443"]],
    [
      "www.example.com@198.51.100.0/24:443 www.example.com@203.0.113.0/24:443",
      443,
      ["entry", "www.example.com@203.0.113.0/24:443"],
    ],
    ["www.example.com@198.51.100.0/24:443 *.example.com", 443, ["entry", "*.example.com"]],
    ["*.example.com !www.example.com", 443, ["taken-away", "!www.example.com"]],
    ["www.example.com !203.0.113.7", 443, ["taken-away", "!203.0.113.7/32"]],
    ["www.example.com !203.0.113.0/24:443", 443, ["taken-away", "!203.0.113.0/24:443"]],
    ["www.example.com !203.0.113.0/24:80", 443, ["entry", "www.example.com"]],
  ];
  for (const [allow, port, expected] of cases) {
    it(`${allow}: port ${port ?? "any"}`, () => {
      const asked = { ipProtocol: 6, port, nowMs: 0 };
      assert.deepEqual(
        told(judgeName([memberOf("app", allow)], "www.example.com", destination, asked)),
        expected,
      );
    });
  }

  it("one of several networks is enough", () => {
    const several = [memberOf("front", ""), memberOf("egress", "www.example.com")];
    const asked = { ipProtocol: 6, port: 443, nowMs: 0 };
    assert.equal(judgeName(several, "www.example.com", destination, asked).reason, "entry");
    assert.equal(judgeName([], "www.example.com", destination, asked).reason, "no-entry");
  });
});

describe("what lists say of an address", () => {
  const cases: readonly [
    allow: string,
    names: string[],
    secondsLeft: number | undefined,
    expected: string[],
  ][] = [
    ["203.0.113.7:443", [], undefined, ["entry", "203.0.113.7/32:443"]],
    ["www.example.com", ["www.example.com"], 60, ["entry", "www.example.com"]],
    ["www.example.com", ["www.example.com"], undefined, ["no-lookup", "www.example.com"]],
    ["www.example.com", [], undefined, ["no-entry"]],
    ["0.0.0.0/0 !203.0.113.7", [], undefined, ["taken-away", "!203.0.113.7/32"]],
  ];
  for (const [allow, names, secondsLeft, expected] of cases) {
    it(`${allow}: known as ${names.join(" ") || "nothing"}, ${secondsLeft ?? "no"} seconds left`, () => {
      const target = { destination, ipProtocol: 6, port: 443 };
      const policy = policyOf("app", allow);
      const decision = decidePacket(policy, target, names, 0);
      assert.deepEqual(told(judgeAddress(decision, [policy], secondsLeft)), expected);
    });
  }
});
