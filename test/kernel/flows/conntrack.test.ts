import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, beforeEach, test } from "node:test";
import { connectionMark } from "../../../src/core/firewall/names.ts";
import { type Conntrack, openConntrack } from "../../../src/edge/kernel/flows/conntrack.ts";
import type { Flow } from "../../../src/edge/kernel/flows/flow-message.ts";
import { unstampAll } from "../../../src/edge/kernel/flows/stamped.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

// Tracking begins with the first rule that needs it.
for (const tool of ["iptables-nft", "ip6tables-nft"]) {
  run(tool, "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP");
}
run(
  "iptables-nft",
  "-t",
  "nat",
  "-A",
  "OUTPUT",
  "-d",
  "127.0.0.9",
  "-j",
  "DNAT",
  "--to-destination",
  "127.0.0.10",
);
const conntrack: Conntrack = openConntrack();
after(() => conntrack.close());

beforeEach(() => {
  for (const family of [4, 6] as const) conntrack.remove(conntrack.flows(family));
});

/** Begins a flow of UDP from a port of its own. */
async function begin(address: string, port: number): Promise<void> {
  const client = createSocket(address.includes(":") ? "udp6" : "udp4");
  client.on("error", () => undefined);
  client.send("x", port, address);
  await once(client, "listening");
  await new Promise(setImmediate);
  client.close();
}

function find(flows: readonly Flow[], port: number): Flow {
  const flow = flows.find(({ original }) => original.destinationPort === port && original.ipProtocol === 17);
  assert.ok(flow);
  return flow;
}

test("flows are counted, of both families", async () => {
  assert.equal(conntrack.count(), 0);
  await begin("127.0.0.9", 1001);
  await begin("::1", 1002);
  assert.equal(conntrack.count(), conntrack.flows(4).length + conntrack.flows(6).length);
  assert.ok(conntrack.count() >= 2);
});

test("flows are listed with both directions, of the family that was asked for", async () => {
  await begin("127.0.0.9", 1001);
  await begin("::1", 1002);
  const { original, reply, mark, family } = find(conntrack.flows(4), 1001);
  assert.deepEqual(
    [original.source, original.destination, reply.source],
    ["127.0.0.1", "127.0.0.9", "127.0.0.10"],
  );
  assert.deepEqual([reply.sourcePort, reply.destinationPort], [1001, original.sourcePort]);
  assert.deepEqual([mark, family], [0, 4]);
  assert.equal(find(conntrack.flows(6), 1002).original.destination, "::1");
  assert.equal(
    conntrack.flows(4).some(({ original }) => original.destinationPort === 1002),
    false,
  );
});

test("a mark is set under its mask, and flows are found by it", async () => {
  await begin("127.0.0.1", 1001);
  await begin("127.0.0.1", 1002);
  const flow = find(conntrack.flows(4), 1001);
  conntrack.setMark([flow], { value: 0xab00 });
  conntrack.setMark([flow], { value: 0x12, mask: 0xff });
  assert.match(run("conntrack", "-L", "-p", "udp", "--dport", "1001"), new RegExp(`mark=${0xab12}`));
  assert.deepEqual(
    conntrack.flows(4, { value: 0xab00, mask: 0xff00 }).map(({ mark }) => mark),
    [0xab12],
  );
  assert.deepEqual(conntrack.flows(4, { value: 0xff00, mask: 0xff00 }), []);
});

test("a flow is forgotten, alone, and one that has ended is passed over", async () => {
  await begin("127.0.0.1", 1001);
  await begin("127.0.0.1", 1002);
  const flow = find(conntrack.flows(4), 1001);
  conntrack.remove([flow]);
  conntrack.remove([flow]);
  conntrack.setMark([flow], { value: 1 });
  const ports = conntrack.flows(4).map(({ original }) => original.destinationPort);
  assert.ok(ports.includes(1002) && !ports.includes(1001));
});

test("a flow that the kernel refuses to change stops none of the others, and is reported", async () => {
  await begin("127.0.0.1", 1001);
  await begin("127.0.0.1", 1002);
  const [first, second] = [1001, 1002].map((port) => find(conntrack.flows(4), port));
  assert.ok(first && second);
  const refused = { ...first, identity: { ...first.identity, original: new Uint8Array() } };
  const report = /^1 of 3 flows: the kernel refused to (mark|forget) a flow: E/;
  assert.throws(() => conntrack.setMark([refused, first, second], { value: 7 }), { message: report });
  assert.deepEqual(
    [1001, 1002].map((port) => find(conntrack.flows(4), port).mark),
    [7, 7],
  );
  assert.throws(() => conntrack.remove([refused, first, second]), { message: report });
  const ports = conntrack.flows(4).map(({ original }) => original.destinationPort);
  assert.ok(!ports.includes(1001) && !ports.includes(1002), `${ports}`);
});

test("every stamp of ours is taken from flows, and counted, at the end", async () => {
  const { mask, ...stamps } = connectionMark;
  const others = 0x10;
  const begun = Object.values(stamps).map((stamp, index) => ({ stamp, port: 1100 + index }));
  for (const { port } of begun) await begin("127.0.0.9", port);
  await begin("127.0.0.9", 1200);
  for (const { stamp, port } of begun)
    conntrack.setMark([find(conntrack.flows(4), port)], { value: stamp + others, mask: mask + others });
  assert.equal(unstampAll(), begun.length);
  for (const { port } of begun) assert.equal(find(conntrack.flows(4), port).mark, others);
  assert.equal(unstampAll(), 0);
});
