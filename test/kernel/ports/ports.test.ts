// Whose a port is, found without a look at what stands inside of the container.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { NetlinkSocket } from "../../../src/edge/kernel/netlink/socket.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { openPorts, type Ports } from "../../../src/edge/sandbox/ports/ports.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

for (const bridge of ["br-app", "br-plain"]) run("ip", "link", "add", bridge, "type", "bridge");

function open(
  t: TestContext,
  onChange: (sandbox: string) => void = () => undefined,
): { readonly ports: Ports; readonly changed: string[]; readonly problems: string[] } {
  const changed: string[] = [];
  const problems: string[] = [];
  const ports = openPorts({
    readiness: createReadiness(),
    onChange: (names) => {
      changed.push(...names);
      names.forEach(onChange);
    },
    onGone: () => undefined,
    onProblem: (problem) => problems.push(problem),
  });
  t.after(() => ports.close());
  return { ports, changed, problems };
}

const on = (ports: Ports, sandbox: string): string[] =>
  ports.of(sandbox).map(({ name, bridge }) => `${name} ${bridge}`);

/** The ways in which engines make the pair. */
const ways: readonly [name: string, make: (port: string, sandbox: string) => void][] = [
  [
    "both ends in the host, one of which moves",
    (port, sandbox) => {
      run("ip", "link", "add", port, "type", "veth", "peer", "name", `${port}-in`);
      run("ip", "link", "set", port, "master", "br-app");
      run("ip", "link", "set", `${port}-in`, "netns", sandbox, "name", "eth0");
    },
  ],
  [
    "one end in the sandbox at once",
    (port, sandbox) => {
      run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", sandbox);
      run("ip", "link", "set", port, "master", "br-app");
    },
  ],
];

for (const [name, make] of ways) {
  const title = name.split(" ")[0] ?? "";
  test(`${name}: its port is known at once, also to who comes later`, async (t) => {
    const { ports, changed } = open(t);
    const box = createNamespace(title);
    ports.appear(title, box.fd);
    assert.deepEqual(on(ports, title), []);
    make(`p-${title}`, title);
    assert.deepEqual(on(ports, title), [`p-${title} br-app`]);
    await until("the change", 3_000, () => (changed.includes(title) ? true : undefined));
    const { ports: later } = open(t);
    later.appear(title, box.fd);
    assert.deepEqual(on(later, title), [`p-${title} br-app`]);
    // What the engine takes away is gone; what it takes to another bridge is there.
    run("ip", "link", "set", `p-${title}`, "master", "br-plain");
    assert.deepEqual(on(ports, title), [`p-${title} br-plain`]);
    changed.length = 0;
    run("ip", "link", "del", `p-${title}`);
    await until("the loss", 3_000, () => (changed.includes(title) ? true : undefined));
    assert.deepEqual(on(ports, title), []);
    run("ip", "netns", "del", title);
  });
}

test("a change is reported without a question", async (t) => {
  const { ports, changed } = open(t);
  const box = createNamespace("told");
  ports.appear("told", box.fd);
  run("ip", "link", "add", "p-told", "type", "veth", "peer", "name", "told-in");
  run("ip", "link", "set", "p-told", "master", "br-app");
  run("ip", "link", "set", "told-in", "netns", "told");
  await until("the port", 3_000, () => (changed.includes("told") ? true : undefined));
  changed.length = 0;
  run("ip", "link", "set", "p-told", "nomaster");
  await until("the bridge that it left", 3_000, () => (changed.includes("told") ? true : undefined));
  assert.deepEqual(on(ports, "told"), ["p-told undefined"]);
  run("ip", "netns", "del", "told");
});

test("an end that goes to a namespace of the container's own making leaves the port its own", (t) => {
  const { ports } = open(t);
  const box = createNamespace("owner");
  ports.appear("owner", box.fd);
  run("ip", "link", "add", "p-owner", "type", "veth", "peer", "name", "eth0", "netns", "owner");
  run("ip", "link", "set", "p-owner", "master", "br-app");
  assert.deepEqual(on(ports, "owner"), ["p-owner br-app"]);
  const inner = createNamespace("inner");
  box.run("ip", "link", "set", "eth0", "netns", "inner");
  ports.appear("inner", inner.fd);
  assert.deepEqual(on(ports, "owner"), ["p-owner br-app"]);
  assert.deepEqual(on(ports, "inner"), []);
  for (const name of ["owner", "inner"]) run("ip", "netns", "del", name);
});

test("what stands inside of a container changes nothing", (t) => {
  const { ports } = open(t);
  const box = createNamespace("games");
  ports.appear("games", box.fd);
  box.run("ip", "link", "add", "br-app", "type", "bridge");
  box.run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1");
  box.run("ip", "link", "set", "veth0", "master", "br-app");
  box.run("ip", "address", "add", "198.19.1.9/24", "dev", "br-app");
  assert.deepEqual(on(ports, "games"), []);
  run("ip", "netns", "del", "games");
});

test("the number of a namespace that is gone is another's later, and its ports are not", async (t) => {
  const { ports } = open(t);
  const first = createNamespace("first");
  ports.appear("first", first.fd);
  run("ip", "link", "add", "p-first", "type", "veth", "peer", "name", "eth0", "netns", "first");
  run("ip", "link", "set", "p-first", "master", "br-app");
  assert.deepEqual(on(ports, "first"), ["p-first br-app"]);
  ports.gone("first");
  run("ip", "netns", "del", "first");
  const second = createNamespace("second");
  ports.appear("second", second.fd);
  run("ip", "link", "add", "p-second", "type", "veth", "peer", "name", "eth0", "netns", "second");
  run("ip", "link", "set", "p-second", "master", "br-plain");
  assert.deepEqual(on(ports, "second"), ["p-second br-plain"]);
  run("ip", "netns", "del", "second");
});

test("a change whose handling fails is a problem, and keeps no other from being reported", async (t) => {
  const { ports, changed, problems } = open(t, (name) => {
    if (name === "bad") throw new Error("a bug");
  });
  for (const name of ["bad", "good"]) ports.appear(name, createNamespace(name).fd);
  for (const name of ["bad", "good"])
    run("ip", "link", "add", `p-${name}`, "type", "veth", "peer", "name", "eth0", "netns", name);
  await until("both changes", 3_000, () => (changed.includes("good") ? true : undefined));
  assert.ok(changed.includes("bad"));
  assert.deepEqual([...new Set(problems)], ["the ports of the host: a bug"]);
});

/** What fails once, after the kernel has told of a port for the only time. */
const failures: readonly [name: string, fail: (t: TestContext) => void][] = [
  [
    "whose list failed after an overflow",
    (t) => {
      const { receive, dump } = NetlinkSocket.prototype;
      let isLost = false;
      let isDue = true;
      t.mock.method(NetlinkSocket.prototype, "receive", function (this: NetlinkSocket) {
        const isFirst = !isLost;
        isLost = true;
        let messages = 0;
        const overflows = receive.call(this, () => void messages++);
        return isFirst && messages > 0 ? 1 : overflows;
      });
      t.mock.method(NetlinkSocket.prototype, "dump", function (this: NetlinkSocket, ...args: DumpArguments) {
        if (isDue) {
          isDue = false;
          throw new Error("changed 5 times");
        }
        dump.apply(this, args);
      });
    },
  ],
  [
    "whose namespace could not be asked for its number",
    (t) => {
      const { request } = NetlinkSocket.prototype;
      let isDue = true;
      t.mock.method(
        NetlinkSocket.prototype,
        "request",
        function (this: NetlinkSocket, ...args: RequestArguments) {
          if (isDue && args[0] === "the number of a namespace") {
            isDue = false;
            throw new Error("no buffer space");
          }
          request.apply(this, args);
        },
      );
    },
  ],
];
type DumpArguments = Parameters<NetlinkSocket["dump"]>;
type RequestArguments = Parameters<NetlinkSocket["request"]>;

for (const [at, [name, fail]] of failures.entries())
  test(`a port ${name} is taken in soon, though the kernel says no more`, async (t) => {
    const { ports, changed, problems } = open(t);
    const sandbox = `owed${at}`;
    ports.appear(sandbox, createNamespace(sandbox).fd);
    run("ip", "link", "add", `p-${sandbox}`, "type", "veth", "peer", "name", "eth0", "netns", sandbox);
    fail(t);
    await until("the failure", 3_000, () => (problems.length > 0 ? true : undefined));
    await until("the port", 3_000, () => (changed.includes(sandbox) ? true : undefined));
    assert.deepEqual(on(ports, sandbox), [`p-${sandbox} undefined`]);
    run("ip", "netns", "del", sandbox);
  });
