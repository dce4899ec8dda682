// A connection of two others is ended at both of its ends, by one packet to each.

import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { openConntrack } from "../../../src/edge/kernel/flows/conntrack.ts";
import { openResets, type Reset } from "../../../src/edge/kernel/flows/resets.ts";
import { Wire } from "../../support/frames.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { readSegment, type Seen } from "../../support/segments.ts";
import { HeldPackets, makeTwoBoxes, Peer, port, type Way, ways } from "../../support/two-boxes.ts";

enterNamespaces(import.meta.url);

const queueNumber = 53;
const tcpFlags = { SYN: 2, RST: 4, ACK: 16 } as const;
const boxes = makeTwoBoxes();
const resets = openResets();
const conntrack = openConntrack();
const opened: { close(): void }[] = [];

after(() => {
  resets.close();
  conntrack.close();
});
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
  for (const { tool, family } of ways) {
    for (const table of ["mangle", "nat", "filter"]) run(tool, "-t", table, "-F");
    conntrack.remove(conntrack.flows(family));
  }
});

interface Held {
  readonly client: Peer;
  readonly server: Peer;
  /** The client's first data, which waits: as the host sees it, before any translation. */
  readonly segment: Seen;
  readonly seen: Readonly<Record<"client" | "server", Wire>>;
}

/** A connection of which nothing but the handshake has reached the server. */
async function holdData(way: Way): Promise<Held> {
  const match = ["-p", "tcp", "--dport", String(port), "--tcp-flags", "PSH", "PSH"];
  run(
    way.tool,
    "-t",
    "mangle",
    "-A",
    "FORWARD",
    ...match,
    "-j",
    "NFQUEUE",
    "--queue-num",
    String(queueNumber),
  );
  const held = new HeldPackets({ number: queueNumber, maxLength: 64, copyBytes: 128 });
  const server = await Peer.listening(boxes.server, way.server);
  const seen = { client: new Wire(boxes.client, "eth0"), server: new Wire(boxes.server, "eth0") };
  const client = Peer.connecting(boxes.client, way.server);
  opened.push(held, server, client, seen.client, seen.server);
  assert.equal(await client.next(), "connected");
  client.say("secret");
  const { payload } = await held.next();
  const segment = readSegment(payload);
  assert.ok(segment);
  assert.equal(segment.text, "secret");
  return { client, server, segment, seen };
}

/** For both ends of a connection, each in the name of the other. */
function resetsOf(segment: Seen): { toClient: Reset; toServer: Reset } {
  const { family, source, destination, sourcePort, destinationPort, seq, ack, text } = segment;
  return {
    toServer: { family, source, destination, sourcePort, destinationPort, seq, ack, flags: tcpFlags.ACK },
    toClient: {
      family,
      source: destination,
      destination: source,
      sourcePort: destinationPort,
      destinationPort: sourcePort,
      seq: ack,
      ack: seq + text.length,
      flags: tcpFlags.ACK,
    },
  };
}

type Arrived = Seen | "an error of ICMP";

/** What has come in at a box, of TCP and of errors. */
function arrivedAt(wire: Wire, own: string): Arrived[] {
  return wire.read().flatMap((hex): Arrived[] => {
    const frame = Buffer.from(hex, "hex");
    const type = frame.readUInt16BE(12);
    if (type !== 0x0800 && type !== 0x86dd) return [];
    const packet = frame.subarray(14);
    const segment = readSegment(packet);
    if (segment !== undefined) return segment.source === own ? [] : [segment];
    const isError = type === 0x0800 ? packet[9] === 1 : packet[6] === 58 && packet.readUInt8(40) < 128;
    return isError ? ["an error of ICMP"] : [];
  });
}

const once = <T>(values: readonly T[]): T[] => [...new Set(values)];

for (const way of ways)
  for (const nat of ["no translation", "masquerade"] as const)
    test(`IPv${way.family}, ${nat}: both ends are reset, by one packet each, and nothing else is sent`, async () => {
      const clientAddress = nat === "masquerade" ? way.outside : way.client;
      // Tracked in either case.
      run(way.tool, "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP");
      if (nat === "masquerade")
        run(way.tool, "-t", "nat", "-A", "POSTROUTING", "-o", "out0", "-j", "MASQUERADE");
      const { client, server, segment, seen } = await holdData(way);
      const flows = conntrack.count();
      const { toClient, toServer } = resetsOf(segment);
      assert.equal(resets.send(toServer), true);
      assert.equal(resets.send(toClient), true);
      assert.deepEqual([await client.next(), await server.next()], ["ECONNRESET", "ECONNRESET"]);

      const atClient = arrivedAt(seen.client, way.client);
      const atServer = arrivedAt(seen.server, way.server);
      const { SYN, RST, ACK } = tcpFlags;
      const flagsOf = (all: readonly Arrived[]): unknown[] =>
        all.map((each) => (typeof each === "string" ? each : each.flags));
      assert.deepEqual(once(flagsOf(atClient)), [SYN | ACK, RST | ACK]);
      assert.deepEqual(once(flagsOf(atServer)), [SYN, ACK, RST | ACK]);
      assert.equal(flagsOf(atClient).filter((flags) => flags === (RST | ACK)).length, 1);
      assert.equal(flagsOf(atServer).filter((flags) => flags === (RST | ACK)).length, 1);
      const as = (reset: Reset): Seen => ({ ...reset, flags: RST | ACK, text: "" });
      assert.deepEqual(atClient.at(-1), as(toClient));
      assert.deepEqual(atServer.at(-1), as({ ...toServer, source: clientAddress as IpAddress }));
      assert.equal(conntrack.count(), flows);
    });

for (const way of ways)
  test(`IPv${way.family}: a host that sends nothing INVALID resets a masqueraded client by its outer address`, async () => {
    run(way.tool, "-t", "nat", "-A", "POSTROUTING", "-o", "out0", "-j", "MASQUERADE");
    run(way.tool, "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP");
    const { client, server, segment } = await holdData(way);
    const { toClient, toServer } = resetsOf(segment);
    assert.equal(resets.send(toClient), false);
    assert.equal(resets.send({ ...toClient, destination: way.outside as IpAddress }), true);
    assert.equal(resets.send(toServer), true);
    assert.deepEqual([await client.next(), await server.next()], ["ECONNRESET", "ECONNRESET"]);
  });

test("who sends is told of one that a rule of the host drops, and of one that has no way", async () => {
  const [way] = ways;
  const { segment } = await holdData(way);
  const { toClient, toServer } = resetsOf(segment);
  run(way.tool, "-A", "OUTPUT", "-p", "tcp", "--tcp-flags", "RST", "RST", "-d", way.client, "-j", "DROP");
  assert.equal(resets.send(toClient), false);
  assert.equal(resets.send({ ...toServer, destination: "192.0.2.1" as IpAddress }), false);
  assert.equal(resets.send(toServer), true);
});
