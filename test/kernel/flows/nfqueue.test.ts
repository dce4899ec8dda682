// What becomes of packets that are put before us, shown by datagrams over the loopback.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parsePacket } from "../../../src/core/firewall/packet.ts";
import type { QueuedPacket } from "../../../src/core/queued-packet.ts";
import { openQueue, type PacketQueue } from "../../../src/edge/kernel/flows/queue.ts";
import { calls } from "../../../src/edge/kernel/libc.ts";
import { createReadiness, type Readiness } from "../../../src/edge/kernel/readiness.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const QUEUE = 53;
const PORT = 5353;
let queue: PacketQueue | undefined;
let readiness: Readiness | undefined;

afterEach(() => {
  readiness?.close();
  queue?.close();
  for (const tool of ["iptables-nft", "ip6tables-nft"]) run(tool, "-t", "mangle", "-F");
});

function askFor(tool: string, ...match: string[]): void {
  run(
    tool,
    "-t",
    "mangle",
    "-A",
    "INPUT",
    "-p",
    "udp",
    "--dport",
    String(PORT),
    ...match,
    "-j",
    "NFQUEUE",
    "--queue-num",
    String(QUEUE),
  );
}

function decideBy(decide: (packet: QueuedPacket, queue: PacketQueue) => void): void {
  const opened = openQueue({ number: QUEUE, maxLength: 1024, copyBytes: 128 });
  queue = opened;
  readiness = createReadiness();
  readiness.watch(opened.fd, () => {
    for (const packet of opened.receive()) decide(packet, opened);
  });
}

/** Sends texts to a listener and returns those that arrived. */
async function send(address: string, texts: readonly string[]): Promise<string[]> {
  const type = address.includes(":") ? "udp6" : "udp4";
  const [client, listener]: [Socket, Socket] = [createSocket(type), createSocket(type)];
  const arrived: string[] = [];
  listener.on("message", (text) => arrived.push(String(text)));
  listener.bind(PORT, address);
  await once(listener, "listening");
  for (const text of texts) client.send(text, PORT, address);
  await sleep(100);
  client.close();
  listener.close();
  return arrived;
}

function textOf(packet: QueuedPacket): string {
  return Buffer.from(packet.payload.subarray(packet.payload[0] === 0x45 ? 28 : 48)).toString();
}

test("accept lets a packet pass and drop does not", async () => {
  askFor("iptables-nft");
  decideBy((packet, opened) =>
    opened.verdict(packet.id, textOf(packet).startsWith("good") ? "accept" : "drop"),
  );
  assert.deepEqual(await send("127.0.0.1", ["good 1", "bad 2", "good 3"]), ["good 1", "good 3"]);
});

test("many packets are read and decided on by two system calls", async () => {
  askFor("iptables-nft");
  const opened = openQueue({ number: QUEUE, maxLength: 1024, copyBytes: 128 });
  queue = opened;
  const texts = Array.from({ length: 40 }, (_, index) => `${index}`);
  const arrived = send("127.0.0.1", texts);
  await sleep(30);
  const before = { ...calls };
  const packets = opened.receive();
  opened.verdicts(
    packets.map((packet) => ({ id: packet.id, verdict: Number(textOf(packet)) < 30 ? "accept" : "drop" })),
  );
  const made = { received: calls.recvmmsg - before.recvmmsg, alone: calls.recv - before.recv };
  assert.deepEqual({ ...made, sent: calls.send - before.send }, { received: 1, alone: 0, sent: 1 });
  assert.deepEqual(await arrived, texts.slice(0, 30));
});

test("repeat sends a packet through the hook again with its new mark", async () => {
  askFor("iptables-nft", "-m", "mark", "!", "--mark", "0x77");
  run(
    "iptables-nft",
    "-t",
    "mangle",
    "-A",
    "INPUT",
    "-p",
    "udp",
    "--dport",
    String(PORT),
    "-m",
    "mark",
    "--mark",
    "0x77",
    "-j",
    "ACCEPT",
  );
  let asked = 0;
  decideBy((packet, opened) => {
    asked++;
    opened.verdict(packet.id, "repeat", 0x77);
  });
  assert.deepEqual(await send("127.0.0.1", ["once"]), ["once"]);
  assert.equal(asked, 1);
  const rules = run("iptables-nft", "-t", "mangle", "-vnL", "INPUT");
  assert.match(rules, /^\s+1\s+32 ACCEPT/m);
});

test("IPv6 packets come with their own head", async () => {
  askFor("ip6tables-nft");
  const seen: QueuedPacket[] = [];
  decideBy((packet, opened) => {
    seen.push(packet);
    opened.verdict(packet.id, "accept");
  });
  assert.deepEqual(await send("::1", ["six"]), ["six"]);
  const [packet] = seen;
  assert.ok(packet);
  assert.equal(packet.mark, 0);
  assert.deepEqual(parsePacket(packet.payload), {
    source: "::1",
    destination: "::1",
    ipProtocol: 17,
    destinationPort: PORT,
    icmp: undefined,
    quoted: undefined,
  });
});

test("only as much of a packet as was asked for is copied", async () => {
  askFor("iptables-nft");
  const sizes: number[] = [];
  decideBy((packet, opened) => {
    sizes.push(packet.payload.length);
    opened.verdict(packet.id, "accept");
  });
  assert.deepEqual(await send("127.0.0.1", ["x".repeat(1000)]), ["x".repeat(1000)]);
  assert.deepEqual(sizes, [128]);
});

test("packets pass a queue that takes no more, and what waits in it still has its verdict", async () => {
  askFor("iptables-nft");
  const opened = openQueue({ number: QUEUE, maxLength: 1024, copyBytes: 128, whenFull: "pass" });
  queue = opened;
  const arrived = send("127.0.0.1", ["held", "dropped"]);
  await sleep(30);
  opened.takeNoMore();
  for (const packet of opened.receive())
    opened.verdict(packet.id, textOf(packet) === "held" ? "accept" : "drop");
  assert.deepEqual(await arrived, ["held"]);
  assert.deepEqual(await send("127.0.0.1", ["later"]), ["later"]);
  assert.deepEqual(opened.receive(), []);
});

test("nothing passes while nobody has the queue, nor when it is closed with packets in it", async () => {
  askFor("iptables-nft");
  assert.deepEqual(await send("127.0.0.1", ["nobody"]), []);
  const opened = openQueue({ number: QUEUE, maxLength: 1024, copyBytes: 128 });
  const arrived = send("127.0.0.1", ["held"]);
  await sleep(30);
  opened.close();
  assert.deepEqual(await arrived, []);
});

test("more than the queue's length is dropped, and a late verdict changes nothing", async () => {
  askFor("iptables-nft");
  queue = openQueue({ number: QUEUE, maxLength: 4, copyBytes: 128 });
  const texts = Array.from({ length: 10 }, (_, index) => String(index));
  const arrived = send("127.0.0.1", texts);
  await sleep(30);
  const held = queue.receive();
  assert.equal(held.length, 4);
  for (const { id } of held) queue.verdict(id, "accept");
  for (const { id } of held) queue.verdict(id, "accept");
  assert.deepEqual(queue.receive(), []);
  assert.deepEqual(await arrived, ["0", "1", "2", "3"]);
});

test("a queue that another process has cannot be taken", () => {
  queue = openQueue({ number: QUEUE, maxLength: 4, copyBytes: 128 });
  assert.throws(() => openQueue({ number: QUEUE, maxLength: 4, copyBytes: 128 }), { code: "NO_PRIVILEGE" });
});
