// Whose ports are, told by the namespaces that they lead to.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelLink } from "../../../../../src/edge/kernel/netlink/links.ts";
import { PortChanges } from "../../../../../src/edge/sandbox/ports/changes.ts";
import { SandboxNamespaces } from "../../../../../src/edge/sandbox/ports/namespaces.ts";
import { PortOwners } from "../../../../../src/edge/sandbox/ports/owners.ts";

function port(index: number, peerNamespace: number | undefined): KernelLink {
  return { index, name: `veth${index}`, kind: "veth", peerNamespace } as KernelLink;
}

test("a port is its sandbox's from its other end on, wherever that goes afterwards", () => {
  const owners = new PortOwners((id) => (id === 7 ? "box" : undefined));
  assert.equal(owners.place(port(1, undefined)), undefined);
  assert.deepEqual(owners.strangers(), [1]);
  assert.equal(owners.place(port(1, 7)), "box");
  assert.deepEqual(owners.strangers(), []);
  assert.equal(owners.place(port(1, 8)), "box");
  assert.deepEqual(owners.portsOf("box"), [1]);
  assert.equal(owners.ownerOf(1), "box");
});

test("one that has been a sandbox's before is its own again, if it is no other one's", () => {
  const owners = new PortOwners((id) => (id === 7 ? "box" : undefined));
  for (const [index, peer] of [
    [1, 7],
    [2, 8],
  ] as const)
    owners.place(port(index, peer));
  for (const index of [1, 2, 3]) owners.adopt(index, "moved");
  assert.deepEqual(
    [owners.portsOf("box"), owners.portsOf("moved"), owners.strangers(), owners.place(port(2, 7))],
    [[1], [2], [], "moved"],
  );
});

test("one that is gone is nobody's; what was no port is none that is lost", () => {
  const owners = new PortOwners(() => "box");
  owners.place(port(1, 7));
  owners.place({ ...port(2, 7), kind: "bridge" } as KernelLink);
  assert.deepEqual(owners.remove(2), { wasPort: false, owner: undefined });
  assert.deepEqual(owners.remove(1), { wasPort: true, owner: "box" });
  assert.deepEqual(owners.portsOf("box"), []);
  assert.deepEqual(owners.remove(1), { wasPort: false, owner: undefined });
});

test("a namespace that has no number at first is asked for it again when one is not known", () => {
  let id: number | undefined;
  const namespaces = new SandboxNamespaces(() => id);
  assert.equal(namespaces.add("box", 3), undefined);
  assert.equal(namespaces.sandboxIn(7), undefined);
  id = 7;
  assert.equal(namespaces.sandboxIn(7), "box");
  // The number goes to another one before the end of the first is known.
  assert.equal(namespaces.add("next", 4), 7);
  namespaces.remove("box");
  assert.equal(namespaces.sandboxIn(7), "next");
  assert.deepEqual([namespaces.has("box"), namespaces.has("next")], [false, true]);
});

test("changes are reported once and together, later or when asked, and a failure keeps back none of the others", async () => {
  const seen: string[] = [];
  const changes = new PortChanges({
    onChange: (sandboxes) => seen.push(sandboxes.join(" ")),
    onGone: () => {
      seen.push("gone");
      throw new Error("no");
    },
    onFailure: (error) => seen.push(String(error)),
  });
  changes.tellLater();
  for (const sandbox of ["box", "other", "box"]) changes.touch(sandbox);
  changes.lose();
  changes.tellLater();
  assert.deepEqual(seen, []);
  await new Promise(setImmediate);
  assert.deepEqual(seen, ["gone", "Error: no", "box other"]);
  changes.tellNow();
  assert.equal(seen.length, 3);
});
