import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkLocalOwners } from "../../../../src/core/askers/link-local-owners.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";

const addresses = (...texts: string[]): IpAddress[] => texts as IpAddress[];
const nobodys = (): boolean => false;

test("the sandbox that has had an address longest keeps it on that bridge, until it is gone", () => {
  const owners = new LinkLocalOwners(nobodys);
  const claim = (sandbox: string, ...bridges: string[]): unknown =>
    Object.fromEntries(owners.claim(sandbox, bridges, addresses("fe80::1", `fe80::${sandbox}`)));
  assert.deepEqual(claim("a", "br-app"), { "br-app": ["fe80::1", "fe80::a"] });
  assert.deepEqual(claim("b", "br-app", "br-plain"), {
    "br-app": ["fe80::b"],
    "br-plain": ["fe80::1", "fe80::b"],
  });
  assert.deepEqual(claim("a", "br-app"), { "br-app": ["fe80::1", "fe80::a"] });
  owners.gone("a");
  assert.deepEqual(claim("b", "br-app"), { "br-app": ["fe80::1", "fe80::b"] });
  assert.deepEqual(claim("a", "br-app"), { "br-app": ["fe80::a"] });
});

test("what one no longer has is free, and the host's never is", () => {
  const owners = new LinkLocalOwners((address) => address === "fe80::ff");
  owners.claim("a", ["br-app"], addresses("fe80::1"));
  owners.claim("a", ["br-app"], addresses("fe80::2"));
  const its = owners.claim("b", ["br-app"], addresses("fe80::1", "fe80::2", "fe80::ff"));
  assert.deepEqual(its.get("br-app"), ["fe80::1"]);
});

test("nobody has more than a few", () => {
  const many = addresses(...Array.from({ length: 100 }, (_, index) => `fe80::${index + 1}`));
  assert.equal(new LinkLocalOwners(nobodys).claim("a", ["br-app"], many).get("br-app")?.length, 8);
});
