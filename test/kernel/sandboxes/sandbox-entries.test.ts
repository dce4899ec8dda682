// What the data plane knows before the engine tells stays in the kernel until its sandbox is done with it, whatever
// the control plane's picture says meanwhile.

import assert from "node:assert/strict";
import { it } from "node:test";
import { partSize } from "../../../src/core/firewall/sets.ts";
import { type IpAddress, parsePrefix } from "../../../src/core/model/address.ts";
import { createSandboxEntries, type EntryAddress } from "../../../src/data/sandboxes/sandbox-entries.ts";
import { applySets, createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { type KernelSets, openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { arePartsWide } from "../../../src/edge/kernel/ipset/parts.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";
import { app, containerOf, join, makeBridges, networkOf, startPlane } from "../../support/sandbox-plane.ts";
import { unlabelled } from "../../support/topologies.ts";

enterNamespaces(import.meta.url);

const sets = openKernelSets();
createSets(sets);
const bridge = "br-plain";
const place = (address: string): EntryAddress => ({ address: address as IpAddress, bridge });
const control = (...addresses: string[]): boolean =>
  applySets(sets, {
    members: new Map([
      [
        "dockerwall-guarded4",
        addresses.map((address) => ({
          prefix: parsePrefix(address) ?? assert.fail(address),
          iface: bridge,
          comment: "web",
        })),
      ],
    ]),
    lists: new Map(),
  }).changed;
const held = (family: 4 | 6 = 4): string[] =>
  sets
    .list(`dockerwall-guarded${family}`)
    .map(({ key, comment }) => `${key.kind === "net-iface" ? key.prefix.address : ""} ${comment}`)
    .sort();

it("an entry for a sandbox is the data plane's until its sandbox is done with it", () => {
  const entries = createSandboxEntries(sets, "guarded");
  entries.put("s1", [place("198.19.3.2"), place("2001:db8:3::2")]);
  assert.equal(control(), false);
  assert.deepEqual(held(), ["198.19.3.2 sandbox:s1"]);
  assert.deepEqual(held(6), ["2001:db8:3::2 sandbox:s1"]);
  // Both want it: it stays as it is, and what only the control plane wants is its own.
  assert.equal(control("198.19.3.2"), false);
  assert.equal(control("198.19.3.2", "198.19.3.9"), true);
  assert.deepEqual(held(), ["198.19.3.2 sandbox:s1", "198.19.3.9 web"]);
  entries.put("s1", [place("198.19.3.4")]);
  assert.deepEqual(held(), ["198.19.3.4 sandbox:s1", "198.19.3.9 web"]);
  assert.deepEqual(held(6), []);
});

it("what another program has put there for a sandbox is taken out again, and nothing else", () => {
  const entries = createSandboxEntries(sets, "quarantine");
  const add = (address: string, comment: string): string =>
    run("ipset", "add", `dockerwall-quarantine${address.includes(":") ? 6 : 4}`, address, "comment", comment);
  entries.put("s1", [{ address: "198.19.3.2" as IpAddress }]);
  add("198.19.3.3", "sandbox:s1");
  add("2001:db8:3::3", "sandbox:s9");
  add("198.19.3.4", "ab".repeat(32));
  assert.deepEqual(entries.takeUnknown(), ["198.19.3.3", "2001:db8:3::3"]);
  assert.deepEqual(entries.takeUnknown(), []);
  const left = sets.list("dockerwall-quarantine4").map(({ comment }) => comment);
  assert.deepEqual(left.sort(), ["ab".repeat(32), "sandbox:s1"]);
  run("ipset", "flush", "dockerwall-quarantine4");
});

it("an address that went to another sandbox is not taken away with the first", () => {
  const entries = createSandboxEntries(sets, "guarded");
  entries.put("s2", [place("198.19.3.4")]);
  entries.put("s1", []);
  assert.deepEqual(held(), ["198.19.3.4 sandbox:s2", "198.19.3.9 web"]);
});

it("what an earlier run left goes when its sandbox is not there any more", () => {
  const entries = createSandboxEntries(sets, "guarded");
  entries.retain((sandbox) => sandbox === "s2");
  assert.deepEqual(held(), ["198.19.3.4 sandbox:s2", "198.19.3.9 web"]);
  entries.retain(() => false);
  assert.deepEqual(held(), ["198.19.3.9 web"]);
});

it("one sandbox cannot fill the sets", () => {
  const entries = createSandboxEntries(sets, "guarded");
  entries.put(
    "s3",
    Array.from({ length: 200 }, (_, index) => place(`198.19.4.${index}`)),
  );
  assert.equal(held().length, 65);
  entries.put("s3", []);
});

it("one sandbox with an address on many bridges takes no place from others, and none is left of it", () => {
  const entries = createSandboxEntries(sets, "guarded");
  const many = [...Array(64).keys()].map((index) => ({ ...place("198.19.5.2"), bridge: `br-${index}` }));
  const parts = (): number =>
    sets
      .names()
      .filter((name) => /^dockerwall-guarded4(-\d+)?$/.test(name))
      .flatMap((name) => sets.list(name)).length;
  const before = parts();
  entries.put("s4", many);
  assert.equal(parts(), before + 64);
  const others = [...Array(3000).keys()].map((index) => `198.20.${index >> 8}.${index & 255}`);
  control("198.19.3.9", ...others);
  assert.equal(parts(), before + 64 + others.length);
  // The next data plane knows them all.
  createSandboxEntries(sets, "guarded").retain(() => false);
  control("198.19.3.9");
  assert.equal(parts(), before);
});

it("tells as soon as rules must look through more than the first part, once until they need not", () => {
  let told = 0;
  const entries = createSandboxEntries(sets, "guarded", () => void told++);
  const on = (count: number): readonly EntryAddress[] =>
    [...Array(count).keys()].map((index) => ({ ...place("198.19.6.2"), bridge: `br-${index}` }));
  const seen = [partSize, partSize + 1, partSize + 2, 1, partSize + 1, 0].map((count) => {
    entries.put("s5", on(count));
    return [told, arePartsWide(sets)];
  });
  assert.deepEqual(seen, [
    [0, false],
    [1, true],
    [1, true],
    [1, false],
    [2, true],
    [2, false],
  ]);
});

it("tells so also when the kernel refuses what comes after", () => {
  let told = 0;
  let taken = 0;
  const refusing: KernelSets = Object.assign(Object.create(sets), {
    add(name: string, entries: Parameters<KernelSets["add"]>[1]) {
      if (name.endsWith("-1") && taken++ > 0) throw new Error("refused");
      sets.add(name, entries);
    },
  });
  const entries = createSandboxEntries(refusing, "guarded", () => void told++);
  const many = [...Array(partSize + 2).keys()].map((index) => ({
    ...place("198.19.7.2"),
    bridge: `br-${index}`,
  }));
  assert.throws(() => entries.put("s6", many), /refused/);
  assert.deepEqual([told, arePartsWide(sets)], [1, true]);
  entries.put("s6", []);
  assert.equal(arePartsWide(sets), false);
});

it("is reported by the data plane for a container on so many networks, before the engine tells of it", {
  timeout: 30_000,
}, async (t) => {
  makeBridges();
  const others = [...Array(partSize).keys()].map((index) => networkOf(`o${index}`, 10 + index));
  for (const { bridge = "" } of others) run("ip", "link", "add", bridge, "up", "type", "bridge");
  const box = createNamespace("web");
  const { plane, looksFurther } = await startPlane(t);
  join(box, "eth0", "198.19.1.2/24");
  for (const [index, { bridge = "" }] of others.entries()) {
    const inside = `eth${index + 1}`;
    run("ip", "link", "add", `w${index}`, "type", "veth", "peer", "name", inside, "netns", "web");
    run("ip", "link", "set", `w${index}`, "master", bridge, "up");
    box.run("ip", "link", "set", inside, "up");
  }
  await plane.post({
    topology: { networks: [app, ...others], containers: [containerOf("web", "web", [app, "198.19.1.2"])] },
    guarded: [{ ...app, lists: [], labels: unlabelled }],
    services: [],
    quarantined: [],
  });
  await looksFurther;
  assert.equal(arePartsWide(sets), true);
});
