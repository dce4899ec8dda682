// What events and lists make of the host's interfaces.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkTable } from "../../../../../src/edge/kernel/netlink/link-table.ts";
import type { KernelLink } from "../../../../../src/edge/kernel/netlink/links.ts";

function veth(index: number, parts: Partial<KernelLink> = {}): KernelLink {
  const name = `veth${index}`;
  return {
    index,
    name,
    kind: "veth",
    mac: undefined,
    master: undefined,
    peer: undefined,
    peerNamespace: undefined,
    ...parts,
  };
}

function tableOf(...links: readonly KernelLink[]): LinkTable {
  const table = new LinkTable();
  table.replace(new Map(links.map((link) => [link.index, link])));
  table.takeChanges();
  return table;
}

test("what came and went between two looks is gone; what went and came is changed", () => {
  const table = tableOf(veth(1));
  table.apply({ kind: "link", link: veth(2) });
  table.apply({ kind: "gone", index: 2, to: undefined });
  table.apply({ kind: "gone", index: 1, to: undefined });
  table.apply({ kind: "link", link: veth(1) });
  table.apply({ kind: "gone", index: 9, to: undefined });
  assert.deepEqual(table.takeChanges(), { changed: [veth(1)], gone: [2] });
  assert.deepEqual(table.takeChanges(), { changed: [], gone: [] });
});

test("an event that says the same again is no change", () => {
  const table = tableOf(veth(1));
  table.apply({ kind: "link", link: veth(1) });
  assert.deepEqual(table.takeChanges(), { changed: [], gone: [] });
});

test("a bridge that has another MAC is changed", () => {
  const bridge = (mac: string): KernelLink => veth(1, { kind: "bridge", mac });
  const table = tableOf(bridge("02:00:00:00:00:01"));
  table.apply({ kind: "link", link: bridge("02:00:00:00:00:02") });
  assert.deepEqual(table.takeChanges().changed, [bridge("02:00:00:00:00:02")]);
});

test("an end that goes into a namespace takes its peer with it, until that namespace is gone", () => {
  const table = tableOf(veth(1, { peer: 2 }), veth(2, { peer: 1 }));
  table.apply({ kind: "gone", index: 2, to: 7 });
  const inside = veth(1, { peer: 2, peerNamespace: 7 });
  assert.deepEqual(table.takeChanges(), { changed: [inside], gone: [2] });
  table.apply({ kind: "namespace-gone", id: 7 });
  assert.deepEqual(table.takeChanges().changed, [veth(1, { peer: 2 })]);
});

test("a list after lost events tells of what they would have told", () => {
  const table = tableOf(veth(1), veth(2));
  table.apply({ kind: "gone", index: 1, to: undefined });
  table.replace(new Map([veth(1), veth(3)].map((link) => [link.index, link])));
  assert.deepEqual(table.takeChanges(), { changed: [veth(1), veth(3)], gone: [2] });
  assert.deepEqual([...table.links.keys()].sort(), [1, 3]);
});
