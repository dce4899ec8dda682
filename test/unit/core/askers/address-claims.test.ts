// One has an address alone, until it gives it up or loses it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AddressClaims } from "../../../../src/core/askers/address-claims.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";

const [first, second] = ["192.0.2.1", "192.0.2.2"] as [IpAddress, IpAddress];
const nobody: ReadonlySet<string> = new Set();

test("what is claimed no longer is nobody's", () => {
  const claims = new AddressClaims();
  assert.deepEqual(claims.claim("box", [first, second]), { released: [], losers: nobody });
  assert.deepEqual(claims.claim("box", [second]), { released: [first], losers: nobody });
  assert.deepEqual([claims.ownerOf(first), claims.ownerOf(second)], [undefined, "box"]);
  assert.deepEqual(claims.gone("box"), [second]);
  assert.deepEqual([claims.ownerOf(second), claims.hasClaimed("box")], [undefined, false]);
});

test("who lost an address releases it no more", () => {
  const claims = new AddressClaims();
  claims.claim("box", [first, second]);
  assert.deepEqual(claims.claim("other", [first]), { released: [], losers: new Set(["box"]) });
  assert.deepEqual(claims.claim("box", []).released, [second]);
  assert.deepEqual([claims.ownerOf(first), claims.hasClaimed("box")], ["other", true]);
});
