// A queue of whole packets: those of 64 KB come as they are, and what is longer than the kernel copies is told as cut.

import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { openQueue, wholePacketBytes } from "../../../src/edge/kernel/flows/queue.ts";
import { LargeWire } from "../../support/large-wire.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { macOf, renderIp, tcp, udp } from "../../support/stations.ts";
import { HeldPackets, makeTwoBoxes, port, type Way, ways } from "../../support/two-boxes.ts";

enterNamespaces(import.meta.url);

const queueNumber = 53;
const boxes = makeTwoBoxes();
const client = new LargeWire(boxes.client, macOf("in0"));
const server = new LargeWire(boxes.server, macOf("out0"));
const serverMac = boxes.server.run("cat", "/sys/class/net/eth0/address").trim();
for (const way of ways) run("ip", "neigh", "replace", way.server, "lladdr", serverMac, "dev", "out0");
const opened: { close(): void }[] = [];

after(() => {
  client.close();
  server.close();
});
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
  for (const { tool } of ways) run(tool, "-t", "mangle", "-F");
});

/** Everything by this port waits. */
function hold({ tool }: Way, protocol: "tcp" | "udp", copyBytes: number): HeldPackets {
  const match = ["-p", protocol, "--dport", String(port)];
  run(tool, "-t", "mangle", "-A", "FORWARD", ...match, "-j", "NFQUEUE", "--queue-num", String(queueNumber));
  const held = new HeldPackets({ number: queueNumber, maxLength: 64, copyBytes });
  opened.push(held);
  return held;
}

/** Text of so many bytes in which no part is like another. */
const text = (length: number): string =>
  Array.from({ length: Math.ceil(length / 8) }, (_, index) => `${index}`.padStart(8, "."))
    .join("")
    .slice(0, length);

const headBytes = { 4: 20, 6: 40 } as const;

/** With a higher MTU, one that is no sequence of segments may be as long. */
function setMtu(mtu: number): void {
  for (const device of ["in0", "out0"]) run("ip", "link", "set", device, "mtu", String(mtu));
  for (const box of [boxes.client, boxes.server]) box.run("ip", "link", "set", "eth0", "mtu", String(mtu));
}

for (const way of ways) {
  const { family, client: source, server: destination } = way;

  test(`IPv${family}: 64 KB of segments come as one packet, whole, and go on as one`, async () => {
    const held = hold(way, "tcp", wholePacketBytes);
    // With the Ethernet header, what a device takes at most to cut it itself.
    const length = 65_520;
    const data = text(length - headBytes[family] - 20);
    const bytes = renderIp({ source, destination, protocol: 6, body: tcp(4000, port, 0x18, data) });
    client.send({ bytes, segmentBytes: 1400 });
    const packet = await held.next();
    assert.equal(packet.payload.length, length);
    assert.equal(packet.isCut, false);
    assert.ok(
      Buffer.from(packet.payload)
        .subarray(headBytes[family] + 20)
        .equals(Buffer.from(data)),
    );
    assert.deepEqual(server.read(data), []);
    held.queue.verdict(packet.id, "accept");
    assert.deepEqual(
      server.read(data).map((each) => [each.bytes.length, each.segmentBytes]),
      [[length, 1400]],
    );
  });

  test(`IPv${family}: a packet that is longer than the kernel copies is told as cut`, async () => {
    setMtu(65_535);
    const held = hold(way, "udp", wholePacketBytes);
    for (const length of [wholePacketBytes, wholePacketBytes + 1, 65_535]) {
      const data = text(length - headBytes[family] - 8);
      const bytes = renderIp({ source, destination, protocol: 17, body: udp(4000, port, data) });
      client.send({ bytes, segmentBytes: 0 });
      const packet = await held.next();
      assert.equal(packet.payload.length, wholePacketBytes);
      assert.equal(packet.isCut, length > wholePacketBytes);
      held.queue.verdict(packet.id, "accept");
      assert.deepEqual(
        server.read(data).map((each) => each.bytes.length),
        [length],
      );
    }
    setMtu(1500);
  });

  test(`IPv${family}: many long packets wait at once, and none is lost`, async () => {
    const held = hold(way, "tcp", wholePacketBytes);
    const data = text(65_000);
    const bytes = renderIp({ source, destination, protocol: 6, body: tcp(4000, port, 0x18, data) });
    for (let sent = 0; sent < 64; sent++) client.send({ bytes, segmentBytes: 1400 });
    const ids = new Set<number>();
    for (let taken = 0; taken < 64; taken++) {
      const packet = await held.next();
      assert.equal(packet.payload.length, bytes.length);
      ids.add(packet.id);
    }
    assert.equal(ids.size, 64);
    assert.equal(held.queue.takeOverflows(), 0);
  });

  test(`IPv${family}: a queue of heads tells of every packet that is longer`, async () => {
    const held = hold(way, "udp", 128);
    for (const [length, isCut] of [
      [128, false],
      [129, true],
    ] as const) {
      const data = text(length - headBytes[family] - 8);
      const bytes = renderIp({ source, destination, protocol: 17, body: udp(4000, port, data) });
      client.send({ bytes, segmentBytes: 0 });
      const packet = await held.next();
      assert.deepEqual([packet.payload.length, packet.isCut], [128, isCut]);
      held.queue.verdict(packet.id, "accept");
    }
  });
}

test("a queue that is to copy more than the kernel does is refused", () => {
  const spec = { number: queueNumber, maxLength: 1, copyBytes: wholePacketBytes + 1 };
  assert.throws(() => openQueue(spec), { code: "INTERNAL" });
});
