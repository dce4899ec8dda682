// What the walk of the sequence test makes of a rule's words, of a SYN that nobody knows.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { fateOf, type Packet } from "../../support/sequence/walk.ts";

const packet: Packet = {
  family: 4,
  source: "198.18.1.2" as IpAddress,
  destination: "203.0.113.9" as IpAddress,
  port: 443,
  from: "br-app",
  to: "eth0",
};

function fate(...rules: readonly string[]): string {
  const sets = { list: () => [], names: () => [] };
  return fateOf({ chain: (_family, _table, name) => (name === "FORWARD" ? rules : []), sets }, packet, [
    ["mangle", "FORWARD"],
  ]);
}

for (const [flags, expected] of [
  ["FIN,SYN,RST,ACK SYN", "dropped"],
  ["SYN SYN", "dropped"],
  ["FIN,RST NONE", "dropped"],
  ["SYN,FIN SYN,FIN", "passes"],
  ["FIN FIN", "passes"],
  ["FIN,SYN,RST,PSH,ACK,URG NONE", "passes"],
] as const)
  test(`--tcp-flags ${flags}: ${expected}`, () => {
    assert.equal(fate(`-p tcp -m tcp --tcp-flags ${flags} -j DROP`), expected);
    const other = expected === "passes" ? "dropped" : "passes";
    assert.equal(fate(`-p tcp -m tcp ! --tcp-flags ${flags} -j DROP`), other);
  });

test("flags that it does not know are refused", () => {
  assert.throws(() => fate("-p tcp -m tcp --tcp-flags SYN,ECE SYN -j DROP"), /ECE/);
  assert.throws(() => fate("-p tcp -m tcp --tcp-flags ALL SYN -j DROP"), /ALL/);
});
