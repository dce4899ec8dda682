// Whom audit mode lets do what is denied, on several networks of which not all are in it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AuditedHome, isDenialLookedUp, passesAuditFrom } from "../../../../src/core/askers/audited.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { policyOf } from "../../../support/policies.ts";
import { unlabelled } from "../../../support/topologies.ts";

const outside = { internal: false, audit: false };
const audited = { internal: false, audit: true };
const inside = { internal: true, audit: false };
const auditedInside = { internal: true, audit: true };

const cases: readonly [homes: readonly AuditedHome[], isLookedUp: boolean, what: string][] = [
  [[outside], false, "a network that enforces"],
  [[audited], true, "a network in audit mode"],
  [[outside, audited], true, "two networks that lead outside, one of them in audit mode"],
  [[audited, inside], true, "one in audit mode, and an internal one that enforces"],
  [[outside, auditedInside], false, "one that enforces, and an internal one in audit mode"],
  [[auditedInside, auditedInside], true, "internal ones in audit mode, which may be beside open ones"],
  [[auditedInside, inside], false, "internal ones, of which one enforces"],
  [[], false, "no network"],
];

describe("a denied name is", () => {
  for (const [homes, isLookedUp, what] of cases)
    it(`${isLookedUp ? "looked up" : "not looked up"} for a container on ${what}`, () => {
      assert.equal(isDenialLookedUp(homes), isLookedUp);
      assert.equal(isDenialLookedUp(homes.toReversed()), isLookedUp);
    });
});

describe("what leaves from an address passes by audit mode", () => {
  const own = "198.19.1.2" as IpAddress;
  const other = "198.19.2.2" as IpAddress;
  const open = "198.19.3.2" as IpAddress;
  const on = (address: IpAddress, mode: "audit" | "enforce") => ({
    networkId: address,
    networkName: address,
    policy: policyOf(address, ""),
    labels: { ...unlabelled, mode },
    internal: false,
    gateways: [],
    addresses: [address, open],
  });

  it("where its network is in it, whatever others are", () => {
    const memberships = [on(own, "enforce"), on(other, "audit")];
    assert.deepEqual(
      [own, other].map((source) => passesAuditFrom(source, memberships)),
      [false, true],
    );
  });

  it("where all guarded networks are in it, from an address on an open one", () => {
    assert.equal(passesAuditFrom(open, [on(own, "audit"), on(other, "audit")]), true);
    assert.equal(passesAuditFrom(open, [on(own, "enforce"), on(other, "audit")]), false);
    assert.equal(passesAuditFrom(open, []), false);
  });
});
