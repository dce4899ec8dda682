// Sandboxes that appear before the engine tells of them, with the real data plane in its worker thread: what their
// addresses demand of the kernel is there at once, and gone when it is known to be needless.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { type TestContext, test } from "node:test";
import { type DataPlaneLink, startDataPlane } from "../../src/data-plane-link.ts";
import { createSets } from "../../src/io/desired-sets.ts";
import { openKernelSets } from "../../src/io/ipset.ts";
import * as libc from "../../src/io/libc.ts";
import { withNamespace } from "../../src/io/netns.ts";
import { askInSandbox } from "../../src/io/sandbox-relay.ts";
import { hostPrefix, type IpAddress, parsePrefix } from "../../src/model/address.ts";
import type { Container, Network } from "../../src/model/topology.ts";
import { until } from "../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../support/namespace.ts";

enterNamespaces(import.meta.url);

const networkOf = (name: string, net: number): Network => ({
  id: name.repeat(16),
  name,
  driver: "bridge",
  bridge: `br-${name}`,
  subnets: [`198.19.${net}.0/24`, `2001:db8:${net}::/64`].flatMap((text) => parsePrefix(text) ?? []),
  gateways: [],
  internal: false,
  labels: {},
});
const app = networkOf("app", 1);
const plain = networkOf("plain", 3);
const containerOf = (name: string, sandbox: string | undefined, ...on: [Network, string][]): Container => ({
  id: name.repeat(16),
  name,
  labels: {},
  running: sandbox !== undefined,
  networkMode: on[0]?.[0].name ?? "none",
  sandbox,
  endpoints: on.map(([{ id }, address]) => ({
    networkId: id,
    addresses: address === "" ? [] : [address as IpAddress],
    aliases: [],
    links: [],
  })),
  configured: on.map(([{ id }]) => id),
  hazards: [],
});

const sets = openKernelSets();
createSets(sets);
run("mkdir", "-p", "/run/netns");
for (const { bridge } of [app, plain]) run("ip", "link", "add", bridge ?? "", "up", "type", "bridge");

function entries(set: "guarded4" | "guarded6" | "quarantine4"): string[] {
  return sets
    .list(`dockerwall-${set}`)
    .flatMap(({ key, comment }) => {
      if (key.kind === "net") return `${key.prefix.address} ${comment}`;
      return key.kind === "net-iface" ? `${key.prefix.address} ${key.iface} ${comment}` : [];
    })
    .sort();
}

/** Waits until a set is as expected; the worker thread is told by netlink, at its own time. */
async function becomes(set: "guarded4" | "guarded6" | "quarantine4", expected: string[]): Promise<void> {
  await until(
    `${set} to be ${expected}`,
    3_000,
    () => (entries(set).join() === expected.sort().join() ? true : undefined),
    () => entries(set).join("\n"),
  );
}

/** An interface with an address, as an engine puts it into a sandbox; the other end is a port of a bridge. */
function join({ name, run: inside }: TestNamespace, device: string, ...addresses: string[]): void {
  const port = `${name}-${device}`;
  run("ip", "link", "add", port, "type", "veth", "peer", "name", device, "netns", name);
  const on = addresses[0]?.startsWith("198.19.1.") ? app : plain;
  run("ip", "link", "set", port, "master", on.bridge ?? "", "up");
  for (const address of addresses) inside("ip", "address", "add", address, "dev", device);
  inside("ip", "link", "set", device, "up");
}

function sends(box: TestNamespace, address: string): boolean {
  try {
    box.run("bash", "-c", `echo > /dev/udp/${address}/9`);
    return true;
  } catch {
    return false;
  }
}

/** Ports and queues of one that has ended are free with the process only. */
let started = 0;

async function start(
  t: TestContext,
): Promise<{ readonly plane: DataPlaneLink; readonly asked: () => number }> {
  let asked = 0;
  started += 1;
  const unexpected = (what?: unknown): never => assert.fail(String(what));
  const plane = await startDataPlane(
    {
      dnsPort: 5053 + started,
      upstreams: [],
      leaseFloorSeconds: 1,
      leaseGraceSeconds: 1,
      sandboxFolder: "/run/netns",
      guardPorts: true,
      queueNumber: 5353 + started,
    },
    {
      onLookups: () => undefined,
      onFreshAddresses: () => undefined,
      onRefresh: () => {
        asked += 1;
      },
      onSandboxes: () => undefined,
      onResolver: () => undefined,
      onProblem: unexpected,
      onDeath: unexpected,
    },
  );
  t.after(() => plane[Symbol.asyncDispose]());
  return { plane, asked: () => asked };
}

const post = (plane: DataPlaneLink, containers: readonly Container[], ...quarantined: string[]) =>
  plane.post({
    topology: { networks: [app, plain], containers },
    guarded: [{ ...app, lists: [], audit: false, dns: { upstreams: undefined, types: [] } }],
    services: [],
    quarantined: quarantined.map((name) => name.repeat(16)),
  });

test("a guarded sandbox is guarded on a second network before anything leaves by it", async (t) => {
  const { plane } = await start(t);
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

test("one that joins the open network first is in doubt while one on both is away", async (t) => {
  const { plane, asked } = await start(t);
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
  await until("the engine to be asked", 3_000, () => (asked() > 0 ? true : undefined));
  await post(plane, [away, containerOf("free", "other", [plain, "198.19.3.6"])]);
  assert.ok(!entries("guarded4").some((entry) => entry.includes("sandbox:other")));
  await until("its release", 3_000, () =>
    other.run("nft", "list", "tables").includes("dockerwall") ? undefined : true,
  );
  for (const name of ["first", "other"]) run("ip", "netns", "del", name);
  await becomes("guarded4", []);
});

test("who is on an open network is passed on to its own resolver from its first question on", async (t) => {
  const { plane } = await start(t);
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
  const { plane, asked } = await start(t);
  await post(plane, [containerOf("web", undefined, [app, ""])], "web");
  const box = createNamespace("back");
  join(box, "eth0", "198.19.1.7/24");
  await becomes("quarantine4", ["198.19.1.7 sandbox:back"]);
  // It is the one.
  await post(plane, [containerOf("web", "back", [app, "198.19.1.7"])], "web");
  assert.deepEqual(entries("quarantine4"), ["198.19.1.7 sandbox:back"]);
  // Nobody else is in doubt now.
  const other = createNamespace("neighbour");
  join(other, "eth0", "198.19.1.8/24");
  await until("the neighbour", 3_000, () => (sends(other, "198.19.1.9") ? true : undefined));
  assert.deepEqual(entries("quarantine4"), ["198.19.1.7 sandbox:back"]);
  await post(plane, [containerOf("web", "back", [app, "198.19.1.7"])]);
  assert.deepEqual(entries("quarantine4"), []);
  // It is away again, and somebody comes whom the engine never tells of.
  run("ip", "netns", "del", "back");
  await post(plane, [containerOf("web", undefined, [app, ""])], "web");
  await becomes("quarantine4", ["198.19.1.8 sandbox:neighbour"]);
  const before = asked();
  plane.refreshed();
  await until("another question", 3_000, () => (asked() > before ? true : undefined));
  assert.deepEqual(entries("quarantine4"), ["198.19.1.8 sandbox:neighbour"]);
  plane.refreshed();
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
  const { plane } = await start(t);
  assert.deepEqual(entries("quarantine4"), kept);
  await post(plane, [], "web");
  assert.deepEqual(entries("quarantine4"), kept);
  await post(plane, cut, "web");
  assert.deepEqual(entries("quarantine4"), kept);
  await post(plane, cut);
  assert.deepEqual(entries("quarantine4"), []);
});
