// A sender is known by its port: with the real rules and the real data plane, shown by packets. What a container does
// with its addresses changes nothing for any other.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, test } from "node:test";
import { askInSandbox } from "../../../src/edge/sandbox/lookups/relay.ts";
import { plainName, rawMessage, rawQuestion } from "../../support/dns-bytes.ts";
import { median } from "../../support/figures.ts";
import { udpFrame, Wire } from "../../support/frames.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run, type TestNamespace } from "../../support/namespace.ts";
import {
  app,
  containerOf,
  join,
  makeBridges,
  plain,
  post,
  postEnslaved,
  raiseWall,
  startPlane,
} from "../../support/sandbox-plane.ts";

enterNamespaces(import.meta.url);

makeBridges();
const wall = await raiseWall();
const { sets } = wall;
after(() => wall.remove());

/** How many packets of IPv4 the rules with this comment have matched. */
function hits(comment: string): number {
  return run("iptables-nft", "-t", "raw", "-nvxL")
    .split("\n")
    .filter((rule) => rule.includes(`/* ${comment} */`))
    .reduce((sum, rule) => sum + Number(rule.trim().split(/\s+/)[0]), 0);
}

const sends = ({ run: inside }: TestNamespace, address: string): void =>
  void inside("bash", "-c", `echo > /dev/udp/${address}/9`);
const guarded = async (box: TestNamespace): Promise<void> => {
  const before = hits("guarded container");
  await until(`packets of ${box.name}`, 5_000, () => {
    try {
      sends(box, "198.19.1.1");
    } catch {
      // Held: the first of them may come too early.
    }
    return hits("guarded container") > before ? true : undefined;
  });
};
const giveMany = ({ run: inside }: TestNamespace, count: number, device: string): void => {
  const address = "10.1.$((i / 256)).$((i % 256))/32";
  const each = `for ((i = 0; i < ${count}; i++)); do echo address add ${address} dev ${device}; done`;
  inside("bash", "-c", `${each} | ip -batch -`);
};

test("only its own addresses, and from its own port", async (t) => {
  const { plane } = await startPlane(t);
  await post(plane, []);
  const box = createNamespace("one");
  join(box, "eth0", "198.19.1.2/24");
  await guarded(box);
  const wire = new Wire(box, "eth0");
  const [passed, refused] = [hits("guarded container"), hits("not from whose address it is")];
  for (const forged of ["198.19.1.3", "198.19.1.200", "198.19.3.9"])
    wire.send(udpFrame(forged, "198.19.1.1", 53));
  wire.close();
  sends(box, "198.19.1.1");
  assert.equal(hits("guarded container"), passed + 1);
  // Nobody has counted them: they did not come as far.
  assert.equal(hits("not from whose address it is"), refused);
  // A floating address, as long as no other container has it.
  await post(plane, [containerOf("web", "one", [app, "198.19.1.2"])]);
  box.run("ip", "address", "add", "198.19.1.77/24", "dev", "eth0");
  await until("the floating address", 3_000, () => {
    box.run("python3", "-c", sendFrom("198.19.1.77"));
    return hits("guarded container") > passed + 1 ? true : undefined;
  });
  const other = createNamespace("two");
  join(other, "eth0", "198.19.1.77/24");
  await post(plane, [
    containerOf("web", "one", [app, "198.19.1.2"]),
    containerOf("db", "two", [app, "198.19.1.77"]),
  ]);
  const before = hits("guarded container");
  box.run("python3", "-c", sendFrom("198.19.1.77"));
  assert.equal(hits("guarded container"), before);
  await guarded(other);
  for (const name of ["one", "two"]) run("ip", "netns", "del", name);
});

test("nothing, by a port of a bridge that is part of another device, as long as it is", async (t) => {
  const { plane } = await startPlane(t);
  await post(plane, []);
  const box = createNamespace("part");
  join(box, "eth0", "198.19.1.6/24");
  await guarded(box);
  // Whatever comes in, as the tables of IP see it.
  run(
    "iptables-nft",
    "-t",
    "raw",
    "-I",
    "PREROUTING",
    "-s",
    "198.19.1.6",
    "-m",
    "comment",
    "--comment",
    "seen of it",
  );
  const seen = (): number => {
    const before = hits("seen of it");
    sends(box, "198.19.1.1");
    return hits("seen of it") - before;
  };
  assert.equal(seen(), 1);
  await postEnslaved(plane, "br-app");
  assert.equal(seen(), 0);
  await postEnslaved(plane);
  assert.equal(seen(), 1);
  run(
    "iptables-nft",
    "-t",
    "raw",
    "-D",
    "PREROUTING",
    "-s",
    "198.19.1.6",
    "-m",
    "comment",
    "--comment",
    "seen of it",
  );
  run("ip", "netns", "del", "part");
});

function sendFrom(address: string): string {
  return `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("${address}", 0)); s.sendto(b"x", ("198.19.1.1", 9))`;
}

test("while nobody is there, who comes with the address of one that is gone does not pass", async (t) => {
  const first = await startPlane(t);
  await post(first.plane, []);
  const box = createNamespace("gone");
  join(box, "eth0", "198.19.1.9/24");
  await guarded(box);
  await first.plane[Symbol.asyncDispose]();
  const passed = hits("guarded container");
  sends(box, "198.19.1.1");
  assert.equal(hits("guarded container"), passed + 1, "who is known goes on");
  run("ip", "netns", "del", "gone");
  const heir = createNamespace("heir");
  join(heir, "eth0", "198.19.1.9/24");
  const [refused, near] = [hits("not from whose address it is"), hits("to a neighbour")];
  const frames = new Wire(heir, "eth0");
  frames.send(udpFrame("198.19.1.9", "198.19.1.10", 9));
  frames.close();
  const bridged =
    run("sh", "-c", "cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>&1 || true").trim() === "1";
  assert.equal(hits("to a neighbour") - near, bridged ? 1 : 0, "neighbours are found");
  await until("a packet of the heir's", 3_000, () => {
    sends(heir, "198.19.1.1");
    return hits("not from whose address it is") > refused ? true : undefined;
  });
  assert.equal(hits("guarded container"), passed + 1);
  const next = await startPlane(t);
  await post(next.plane, [containerOf("heir", "heir", [app, "198.19.1.9"])]);
  await guarded(heir);
  run("ip", "netns", "del", "heir");
});

/** How long it takes until each of five sandboxes that come one after the other is captured, ms. */
async function captureLatencies(name: string): Promise<number[]> {
  const latenciesMs: number[] = [];
  for (let index = 0; index < 5; index++) {
    const began = performance.now();
    const next = createNamespace(`${name}${index}`);
    await until("its capture", 5_000, () =>
      next.run("nft", "list", "tables").includes("ip dockerwall") ? true : undefined,
    );
    latenciesMs.push(Math.round(performance.now() - began));
    run("ip", "netns", "del", next.name);
  }
  return latenciesMs;
}

test("ten thousand addresses of one container cost nobody else anything", { timeout: 60_000 }, async (t) => {
  const { plane } = await startPlane(t);
  const alone = await captureLatencies("calm");
  const box = createNamespace("many");
  join(box, "eth0", "198.19.1.20/24");
  await post(plane, [containerOf("many", "many", [app, "198.19.1.20"])]);
  giveMany(box, 10_000, "eth0");
  // And on and on.
  const games = `while :; do ip address add 10.9.9.9/32 dev lo; ip address del 10.9.9.9/32 dev lo; done`;
  const pid = box.run("sh", "-c", `(${games}) > /dev/null 2>&1 & echo $!`).trim();
  t.after(() => run("kill", pid));
  const besides = await captureLatencies("busy");
  t.diagnostic(`captured after ${besides.join(", ")} ms, and after ${alone.join(", ")} ms without it`);
  assert.ok(sets.list("dockerwall-owner4").length <= 16, "owners");
  // What else the machine does makes one or the other late.
  assert.ok(median(besides) <= 2 * median(alone) + 500, "the median");
  assert.ok(Math.max(...besides) <= 2 * Math.max(...alone) + 1_000, "the slowest");
  // Its own still pass, and it is in quarantine at once when it is to be.
  await guarded(box);
  await post(plane, [containerOf("many", "many", [app, "198.19.1.20"])], "many");
  assert.equal(await plane.cutOf("many".repeat(16)), "whole");
  await post(plane, [containerOf("many", "many", [app, "198.19.1.20"])]);
  assert.equal(await plane.cutOf("many".repeat(16)), "none");
  run("ip", "netns", "del", "many");
});

test("a container that makes itself an address of a guarded network stays open", async (t) => {
  const { plane } = await startPlane(t);
  const box = createNamespace("ci");
  join(box, "eth0", "198.19.3.2/24");
  const told = [containerOf("ci", "ci", [plain, "198.19.3.2"])];
  await post(plane, told);
  await until("its release", 3_000, () =>
    box.run("nft", "list", "tables").includes("dockerwall") ? undefined : true,
  );
  box.run("ip", "link", "add", "inner", "type", "veth", "peer", "name", "inner-too");
  box.run("ip", "address", "add", "198.19.1.55/24", "dev", "inner");
  await post(plane, told);
  const later = createNamespace("later");
  await until("another one", 3_000, () =>
    later.run("nft", "list", "tables").includes("dockerwall") ? true : undefined,
  );
  assert.equal(box.run("nft", "list", "tables"), "");
  // A real `docker network connect` is another matter.
  join(box, "eth1", "198.19.1.56/24");
  await until("its capture", 3_000, () =>
    box.run("nft", "list", "tables").includes("dockerwall") ? true : undefined,
  );
  for (const name of ["ci", "later"]) run("ip", "netns", "del", name);
});

test("a sandbox of which something cannot be said at first is captured, and listened to", async (t) => {
  // The host's listeners open by themselves; each guarded bridge has its own in either family.
  const listeners = (): number => run("cat", "/proc/net/udp", "/proc/net/udp6").split("\n").length;
  const others = listeners();
  const { plane, problems } = await startPlane(t, { expectsProblems: true });
  await post(plane, []);
  await until("the host's listeners", 5_000, () => (listeners() >= others + 4 ? true : undefined));
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  // The set of owners is gone: nothing can be said of an address.
  run("ipset", "destroy", "dockerwall-owner4");
  const box = createNamespace("early");
  join(box, "eth0", "198.19.1.30/24");
  await until("the problem", 3_000, () => (problems.length > 0 ? true : undefined));
  assert.match(box.run("nft", "list", "tables"), /ip dockerwall/);
  wall.classify();
  await post(plane, [containerOf("early", "early", [app, "198.19.1.30"])]);
  const question = rawMessage({ body: [rawQuestion(plainName("www.example.org"))] });
  assert.ok((await askInSandbox(box.fd, question)).length > 0);
  run("ip", "netns", "del", "early");
  // What createNamespace() has opened stays, and the thread's way home.
  await until("its descriptors", 5_000, () => (descriptors() <= before + 2 ? true : undefined));
});
