// Sandboxes that appear before the engine tells of them, with the real data plane in its worker thread: what their
// addresses demand of the kernel is there at once, and gone when it is known to be needless.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { hostPrefix, type IpAddress } from "../../../src/core/model/address.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import * as libc from "../../../src/edge/kernel/libc.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { askInSandbox } from "../../../src/edge/sandbox/lookups/relay.ts";
import { decodeMessage, plainName, rawMessage, rawQuestion } from "../../support/dns-bytes.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import { app, containerOf, join, makeBridges, plain, post, startPlane } from "../../support/sandbox-plane.ts";

enterNamespaces(import.meta.url);

const sets = openKernelSets();
createSets(sets);
makeBridges();

function entries(set: "guarded4" | "guarded6" | "quarantine4"): string[] {
  return sets
    .list(`dockerwall-${set}`)
    .flatMap(({ key, comment }) => {
      if (key.kind === "net") return `${key.prefix.address} ${comment}`;
      return key.kind === "net-iface" ? `${key.prefix.address} ${key.iface} ${comment}` : [];
    })
    .sort();
}

/** Waits until a set is as expected; the worker thread hears by netlink, at its own time. */
async function becomes(set: "guarded4" | "guarded6" | "quarantine4", expected: string[]): Promise<void> {
  await until(
    `${set} to be ${expected}`,
    3_000,
    () => (entries(set).join() === expected.sort().join() ? true : undefined),
    () => entries(set).join("\n"),
  );
}

function sends(box: TestNamespace, address: string): boolean {
  try {
    box.run("bash", "-c", `echo > /dev/udp/${address}/9`);
    return true;
  } catch {
    return false;
  }
}

test("a question of one that the engine has not told of is decided by the list that follows, though nothing else changes", async (t) => {
  const { plane } = await startPlane(t);
  await post(plane, []);
  const box = createNamespace("unheard");
  // What IPv6 does to its addresses a moment later has it judged again.
  box.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
  join(box, "eth0", "198.19.1.7/24");
  await until("it to be guarded", 3_000, () => (sends(box, "198.19.1.9") ? true : undefined));
  let answer: Uint8Array | undefined;
  const question = rawMessage({ body: [rawQuestion(plainName("www.example.org"))] });
  const asked = askInSandbox(box.fd, question).then((message) => {
    answer = message;
  });
  // What is still not certain when its time is over is denied, too: that is later.
  await until("an answer", 1_500, () => {
    plane.tellReadings({ listedAtMs: monotonicMs(), readAtMs: new Map() });
    return answer;
  });
  await asked;
  assert.equal(decodeMessage(answer ?? assert.fail()).rcode, "NXDOMAIN");
  run("ip", "netns", "del", "unheard");
});

test("a guarded sandbox is guarded on a second network before anything leaves by it", async (t) => {
  const { plane } = await startPlane(t);
  await post(plane, []);
  const box = createNamespace("both");
  join(box, "eth0", "198.19.1.2/24", "2001:db8:1::2/64");
  await until("the first interface", 3_000, () => (sends(box, "198.19.1.9") ? true : undefined));
  assert.deepEqual(entries("guarded4"), []);
  join(box, "eth1", "198.19.3.2/24");
  // As soon as it can send by it, it is guarded there.
  await until("the second interface", 3_000, () => (sends(box, "198.19.3.9") ? true : undefined));
  const by = "sandbox:both";
  const expected = [`198.19.1.2 br-app ${by}`, `198.19.1.2 br-plain ${by}`, `198.19.3.2 br-plain ${by}`];
  assert.deepEqual(entries("guarded4"), expected);
  assert.deepEqual(entries("guarded6"), [`2001:db8:1::2 br-app ${by}`, `2001:db8:1::2 br-plain ${by}`]);
  await post(plane, [containerOf("web", "both", [app, "198.19.1.2"], [plain, "198.19.3.2"])]);
  assert.deepEqual(entries("guarded4"), expected);
  box.run("ip", "link", "del", "eth1");
  await becomes("guarded4", []);
  run("ip", "netns", "del", "both");
});

test("one that joins the open network first is undecided while one on both is away", async (t) => {
  const { plane, asked } = await startPlane(t);
  const away = containerOf("web", undefined, [plain, ""], [app, ""]);
  await post(plane, [away]);
  const box = createNamespace("first");
  join(box, "eth0", "198.19.3.5/24");
  await becomes("guarded4", ["198.19.3.5 br-plain sandbox:first"]);
  join(box, "eth1", "198.19.1.5/24");
  await becomes("guarded4", [
    "198.19.1.5 br-app sandbox:first",
    "198.19.1.5 br-plain sandbox:first",
    "198.19.3.5 br-plain sandbox:first",
  ]);
  // Another one, that the engine tells of as a container on the open network only.
  const other = createNamespace("other");
  join(other, "eth0", "198.19.3.6/24");
  await until("the other one", 3_000, () =>
    entries("guarded4").includes("198.19.3.6 br-plain sandbox:other") ? true : undefined,
  );
  await until("the engine to be asked", 3_000, () => (asked().length > 0 ? true : undefined));
  await post(plane, [away, containerOf("free", "other", [plain, "198.19.3.6"])]);
  assert.ok(!entries("guarded4").some((entry) => entry.includes("sandbox:other")));
  await until("its release", 3_000, () =>
    other.run("nft", "list", "tables").includes("dockerwall") ? undefined : true,
  );
  for (const name of ["first", "other"]) run("ip", "netns", "del", name);
  await becomes("guarded4", []);
});

test("who is on an open network is passed on to its own resolver from its first question on", async (t) => {
  const { plane } = await startPlane(t);
  await post(plane, []);
  const box = createNamespace("asks");
  box.run("ip", "link", "set", "lo", "up");
  const fd = withNamespace(box.fd, () => {
    const socket = libc.socket(libc.AF_INET, libc.SOCK_DGRAM, 0, "a resolver");
    const address = Uint8Array.of(libc.AF_INET, 0, 0, 53, 127, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0);
    libc.bind(socket, address, "a resolver");
    return socket;
  });
  await using resolver = createSocket("udp4");
  resolver.bind({ fd });
  resolver.on("message", (message, { port, address }) => resolver.send(message, port, address));
  await until("the capture", 3_000, () =>
    box.run("nft", "list", "tables").includes("ip dockerwall") ? true : undefined,
  );
  join(box, "eth0", "198.19.3.11/24");
  const question = Buffer.from("to whom it belongs");
  assert.deepEqual(Buffer.from(await askInSandbox(box.fd, question)), question);
  assert.deepEqual(Buffer.from(await askInSandbox(box.fd, question)), question);
  run("ip", "netns", "del", "asks");
});

test("while one in quarantine is away, a new sandbox is cut off until the engine has told", async (t) => {
  const startedAtMs = monotonicMs();
  const { plane, asked } = await startPlane(t);
  await post(plane, [containerOf("web", undefined, [app, ""])], "web");
  const box = createNamespace("back");
  join(box, "eth0", "198.19.1.7/24");
  await becomes("quarantine4", ["198.19.1.7 sandbox:back"]);
  // It is the one.
  await post(plane, [containerOf("web", "back", [app, "198.19.1.7"])], "web");
  assert.deepEqual(entries("quarantine4"), ["198.19.1.7 sandbox:back"]);
  // Nobody else is undecided now.
  const other = createNamespace("neighbour");
  join(other, "eth0", "198.19.1.8/24");
  await until("the neighbour", 3_000, () => (sends(other, "198.19.1.9") ? true : undefined));
  assert.deepEqual(entries("quarantine4"), ["198.19.1.7 sandbox:back"]);
  await post(plane, [containerOf("web", "back", [app, "198.19.1.7"])]);
  assert.deepEqual(entries("quarantine4"), []);
  // It is away again, and of the other one the engine never tells.
  run("ip", "netns", "del", "back");
  await post(plane, [containerOf("web", undefined, [app, ""])], "web");
  await becomes("quarantine4", ["198.19.1.8 sandbox:neighbour"]);
  await until("the engine to be asked", 3_000, () => (asked().includes("web".repeat(16)) ? true : undefined));
  const read = (atMs: number) => ({
    listedAtMs: monotonicMs(),
    readAtMs: new Map([["web".repeat(16), atMs]]),
  });
  // A reading that began before the other one appeared says nothing of it.
  plane.tellReadings(read(startedAtMs));
  await plane.flush();
  assert.deepEqual(entries("quarantine4"), ["198.19.1.8 sandbox:neighbour"]);
  plane.tellReadings(read(monotonicMs()));
  await becomes("quarantine4", []);
  run("ip", "netns", "del", "neighbour");
});

test("a data plane that starts keeps what its predecessor knew, until it knows itself", async (t) => {
  const cut = [containerOf("web", "kept", [app, "198.19.1.7"])];
  const kept = ["198.19.1.7 sandbox:kept"];
  sets.add("dockerwall-quarantine4", [
    { key: { kind: "net", prefix: hostPrefix("198.19.1.7" as IpAddress) }, comment: "sandbox:kept" },
  ]);
  join(createNamespace("kept"), "eth0", "198.19.1.7/24");
  const { plane } = await startPlane(t);
  assert.deepEqual(entries("quarantine4"), kept);
  await post(plane, [], "web");
  assert.deepEqual(entries("quarantine4"), kept);
  await post(plane, cut, "web");
  assert.deepEqual(entries("quarantine4"), kept);
  await post(plane, cut);
  assert.deepEqual(entries("quarantine4"), []);
  run("ip", "netns", "del", "kept");
});

test("where ports cannot be cut, one in quarantine is cut off inside", async (t) => {
  const { plane } = await startPlane(t, { guardPorts: false });
  const box = createNamespace("cut");
  const neighbour = createNamespace("near");
  for (const [name, address] of [
    [box, "198.19.1.40"],
    [neighbour, "198.19.1.41"],
  ] as const)
    join(name, "eth0", `${address}/24`);
  const told = [
    containerOf("cut", "cut", [app, "198.19.1.40"]),
    containerOf("near", "near", [app, "198.19.1.41"]),
  ];
  await post(plane, told);
  // A neighbour hears that nothing listens, or nothing at all.
  const answers = (from: TestNamespace, to: string): boolean =>
    from
      .run("bash", "-c", `(timeout 0.5 bash -c '< /dev/tcp/${to}/9') 2>&1 || true`)
      .includes("Connection refused");
  const reach = (): boolean[] => [answers(box, "198.19.1.41"), answers(neighbour, "198.19.1.40")];
  await until("both to reach each other", 5_000, () => (reach().every((both) => both) ? true : undefined));
  await post(plane, told, "cut");
  assert.equal(await plane.cutOf("cut".repeat(16)), "partly");
  assert.deepEqual(reach(), [false, false]);
  await post(plane, told);
  assert.equal(await plane.cutOf("cut".repeat(16)), "none");
  assert.deepEqual(reach(), [true, true]);
  for (const name of ["cut", "near"]) run("ip", "netns", "del", name);
});
