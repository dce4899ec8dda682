import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkLocalOwners } from "../../../../src/core/askers/link-local-owners.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";

const addresses = (...texts: string[]): IpAddress[] => texts as IpAddress[];
const on = (bridges: readonly string[], ...texts: string[]): ReadonlyMap<string, readonly IpAddress[]> =>
  new Map(bridges.map((bridge) => [bridge, addresses(...texts)]));
const nobodys = (): boolean => false;

test("the sandbox that has had an address longest keeps it on that bridge, until it is gone", () => {
  const owners = new LinkLocalOwners(nobodys);
  const claim = (sandbox: string, ...bridges: string[]): unknown =>
    Object.fromEntries(owners.claim(sandbox, on(bridges, "fe80::1", `fe80::${sandbox}`)).own);
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
  owners.claim("a", on(["br-app"], "fe80::1"));
  owners.claim("a", on(["br-app"], "fe80::2"));
  const its = owners.claim("b", on(["br-app"], "fe80::1", "fe80::2", "fe80::ff"));
  assert.deepEqual(its.own.get("br-app"), ["fe80::1"]);
});

test("nobody has more than a few", () => {
  const many = on(["br-app"], ...Array.from({ length: 100 }, (_, index) => `fe80::${index + 1}`));
  assert.equal(new LinkLocalOwners(nobodys).claim("a", many).own.get("br-app")?.length, 8);
});

test("who has an address on that comes free is told to claim again", () => {
  const unread = new Set(["fe80::9"]);
  const owners = new LinkLocalOwners((address) => unread.has(address));
  const heirs = (sandbox: string, bridges: readonly string[], ...its: string[]): unknown => [
    ...owners.claim(sandbox, on(bridges, ...its)).heirs,
  ];
  assert.deepEqual(heirs("a", ["br-app"], "fe80::1", "fe80::2"), []);
  assert.deepEqual(heirs("b", ["br-app"], "fe80::1"), []);
  assert.deepEqual(heirs("c", ["br-plain"], "fe80::1"), []);
  // No other address of its own, nor the same on another bridge, is theirs by it.
  assert.deepEqual(heirs("a", ["br-app"], "fe80::1"), []);
  assert.deepEqual(heirs("c", ["br-plain"]), []);
  assert.deepEqual(heirs("a", ["br-plain"], "fe80::1"), ["b"]);
  assert.deepEqual(heirs("b", ["br-app"], "fe80::1"), []);
  assert.deepEqual(heirs("a", ["br-app"], "fe80::1"), []);
  assert.deepEqual([...owners.gone("b")], ["a"]);
  assert.deepEqual([...owners.gone("a")], []);
  assert.deepEqual([...owners.gone("a")], []);
  // One that an earlier run knew by it has been looked at.
  assert.deepEqual(heirs("heir", ["br-app"], "fe80::9"), []);
  assert.deepEqual(heirs("d", ["br-plain"]), []);
  assert.deepEqual(heirs("e", ["br-app"]), ["heir"]);
  assert.deepEqual(heirs("e", ["br-app"]), []);
  assert.deepEqual([...owners.gone("heir")], []);
  assert.deepEqual(heirs("f", ["br-app"]), []);
});
