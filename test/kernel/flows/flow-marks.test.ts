// The mark of one flow is read and set by its addresses and ports, while a packet of it waits in a queue.

import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import type { IpAddress } from "../../../src/core/model/address.ts";
import type { QueuedPacket } from "../../../src/core/queued-packet.ts";
import { openConntrack } from "../../../src/edge/kernel/flows/conntrack.ts";
import { openFlowMarks } from "../../../src/edge/kernel/flows/flow-marks.ts";
import type { FlowTuple } from "../../../src/edge/kernel/flows/flow-message.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { readSegment } from "../../support/segments.ts";
import { HeldPackets, makeTwoBoxes, Peer, port, type Way, ways } from "../../support/two-boxes.ts";

enterNamespaces(import.meta.url);

const queueNumber = 53;
const released = 0x0500_0000;
const mask = 0x0f00_0000;
const boxes = makeTwoBoxes();
const marks = openFlowMarks();
const conntrack = openConntrack();
const opened: { close(): void }[] = [];

after(() => {
  marks.close();
  conntrack.close();
});
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
  for (const { tool, family } of ways) {
    run(tool, "-t", "mangle", "-F");
    run(tool, "-t", "nat", "-F");
    conntrack.remove(conntrack.flows(family));
  }
});

/** Has TCP packets with these flags put before us, but those of flows that are released. */
function hold({ tool }: Way, ...flags: [string, string]): HeldPackets {
  const isReleased = ["-m", "connmark", "--mark", `${released}/${mask}`];
  run(tool, "-t", "mangle", "-A", "FORWARD", ...isReleased, "-j", "RETURN");
  const match = ["-p", "tcp", "--dport", String(port), "--tcp-flags", ...flags];
  run(tool, "-t", "mangle", "-A", "FORWARD", ...match, "-j", "NFQUEUE", "--queue-num", String(queueNumber));
  const held = new HeldPackets({ number: queueNumber, maxLength: 64, copyBytes: 128 });
  opened.push(held);
  return held;
}

async function connect(way: Way): Promise<{ client: Peer; server: Peer }> {
  const server = await Peer.listening(boxes.server, way.server);
  const client = Peer.connecting(boxes.client, way.server);
  opened.push(server, client);
  return { client, server };
}

function keyOf({ payload }: QueuedPacket): FlowTuple {
  const segment = readSegment(payload);
  assert.ok(segment);
  const { source, destination, sourcePort, destinationPort } = segment;
  return { source, destination, sourcePort, destinationPort, ipProtocol: 6 };
}

for (const way of ways)
  for (const nat of ["no translation", "masquerade"] as const)
    test(`IPv${way.family}, ${nat}: a flow is marked while a packet of it waits, and the rules see it`, async () => {
      if (nat === "masquerade")
        run(way.tool, "-t", "nat", "-A", "POSTROUTING", "-o", "out0", "-j", "MASQUERADE");
      const held = hold(way, "PSH", "PSH");
      const { client, server } = await connect(way);
      assert.equal(await client.next(), "connected");
      client.say("first");
      const packet = await held.next();
      const key = keyOf(packet);
      assert.deepEqual([key.source, key.destination], [way.client, way.server]);
      assert.equal(marks.get(key), 0);
      assert.equal(marks.mark(key, 0x12, 0xff), true);
      assert.equal(marks.mark(key, released, mask), true);
      assert.equal(marks.get(key), released + 0x12);
      const listed = run("conntrack", "-L", "-f", `ipv${way.family}`, "-p", "tcp", "--mark", "0x5000012");
      assert.equal(listed.trim().split("\n").length, 1);
      const answersTo = nat === "masquerade" ? way.outside : way.client;
      assert.match(listed, new RegExp(`src=\\S+9 dst=${answersTo} sport=${port} `));
      held.queue.verdict(packet.id, "accept");
      assert.equal(await server.next(), "first");
      client.say("second");
      assert.equal(await server.next(), "second");
    });

for (const way of ways) {
  test(`IPv${way.family}: what is no flow is not begun, and one is none before its first packet has passed`, async () => {
    const held = hold(way, "SYN,ACK", "SYN");
    const { client } = await connect(way);
    const syn = await held.next();
    const key = keyOf(syn);
    assert.equal(marks.get(key), undefined);
    assert.equal(marks.mark(key, released, mask), false);
    assert.deepEqual(
      conntrack.flows(way.family).filter(({ original }) => original.ipProtocol === 6),
      [],
    );
    held.queue.verdict(syn.id, "accept");
    assert.equal(await client.next(), "connected");
    assert.equal(marks.get(key), 0);
    assert.equal(marks.mark({ ...key, sourcePort: key.sourcePort ^ 1 }, released, mask), false);
    assert.equal(marks.mark(key, released, mask), true);
  });

  test(`IPv${way.family}: a flow that is forgotten while its packet waits is there no more`, async () => {
    const held = hold(way, "PSH", "PSH");
    const { client } = await connect(way);
    assert.equal(await client.next(), "connected");
    client.say("first");
    const key = keyOf(await held.next());
    assert.equal(marks.get(key), 0);
    conntrack.remove(conntrack.flows(way.family));
    assert.equal(marks.get(key), undefined);
    assert.equal(marks.mark(key, released, mask), false);
  });
}

test("a flow is named by the direction of its answers, too", async () => {
  const [way] = ways;
  run(way.tool, "-t", "nat", "-A", "POSTROUTING", "-o", "out0", "-j", "MASQUERADE");
  const held = hold(way, "PSH", "PSH");
  const { client } = await connect(way);
  assert.equal(await client.next(), "connected");
  client.say("first");
  const key = keyOf(await held.next());
  const answers: FlowTuple = {
    ipProtocol: 6,
    source: key.destination,
    destination: way.outside as IpAddress,
    sourcePort: port,
    destinationPort: key.sourcePort,
  };
  assert.equal(marks.mark(answers, released, mask), true);
  assert.equal(marks.get(key), released);
});

test("what the kernel refuses for another reason is thrown", () => {
  const key: FlowTuple = {
    ipProtocol: 6,
    source: "2001:db8:1::2" as IpAddress,
    destination: "203.0.113.9" as IpAddress,
    sourcePort: 1,
    destinationPort: 2,
  };
  const refusal = {
    code: "KERNEL_REFUSED",
    message: /^the kernel refused (to mark|the mark of) a flow: E(INVAL|RANGE)/,
  };
  assert.throws(() => marks.mark(key, released, mask), refusal);
  assert.throws(() => marks.get(key), refusal);
});
