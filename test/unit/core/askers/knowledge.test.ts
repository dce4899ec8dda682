import assert from "node:assert/strict";
import { it } from "node:test";
import { Knowledge } from "../../../../src/core/askers/knowledge.ts";
import type { Container } from "../../../../src/core/model/topology.ts";

const meek: Container = {
  id: "meekmeek",
  name: "meek",
  labels: {},
  running: true,
  networkMode: "app",
  sandbox: "5a4d",
  endpoints: [],
  configured: [],
  hazards: [],
  forgesNothing: true,
};
const asker = { sandbox: "5a4d", sinceMs: 0, addresses: [] };
const mayForge = (...containers: readonly Container[]): boolean =>
  new Knowledge({ topology: { containers }, guarded: [] }).mayForge(asker);

it("may put frames on a wire by hand until the engine has told that it cannot", () => {
  assert.equal(mayForge(), true);
  assert.equal(mayForge({ ...meek, sandbox: undefined }), true);
  assert.equal(mayForge(meek), false);
  const { forgesNothing: _, ...able } = meek;
  assert.equal(mayForge(able), true);
});

it("may do so where another container that can has joined its network", () => {
  const { forgesNothing: _, ...able } = { ...meek, id: "otheroth", name: "other", sandbox: undefined };
  for (const networkMode of ["container:meekmeek", "container:meek"])
    assert.equal(mayForge(meek, { ...able, networkMode }), true);
  const between = { ...meek, id: "third", name: "third", networkMode: "container:meek", sandbox: undefined };
  assert.equal(mayForge(meek, { ...able, networkMode: "container:third" }), false);
  assert.equal(mayForge(meek, between, { ...able, networkMode: "container:third" }), true, "in two steps");
  assert.equal(mayForge(meek, { ...able, networkMode: "container:meek", forgesNothing: true }), false);
});

it("may make interfaces where it, or one that has joined its network in any number of steps, has NET_ADMIN", () => {
  const mayMake = (...containers: readonly Container[]): boolean =>
    new Knowledge({ topology: { containers }, guarded: [] }).mayMakeInterfaces(asker);
  assert.equal(mayMake(), true, "nobody has told");
  assert.equal(mayMake(meek), false);
  for (const hazard of ["net-admin", "privileged"] as const)
    assert.equal(mayMake({ ...meek, hazards: [hazard] }), true);
  assert.equal(mayMake({ ...meek, hazards: ["sys-admin"] }), false);
  const joined = (name: string, networkMode: string): Container => ({
    ...{ ...meek, id: name, name, networkMode, sandbox: undefined },
  });
  const able = (name: string, networkMode: string): Container => ({
    ...{ ...joined(name, networkMode), hazards: ["net-admin"] },
  });
  assert.equal(mayMake(meek, able("other", "container:meek")), true);
  assert.equal(mayMake(meek, joined("other", "container:meek"), able("third", "container:other")), true);
  assert.equal(mayMake(meek, able("other", "app")), false);
});
