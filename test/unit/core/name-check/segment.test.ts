// Packets as they come out of the kernel's queue, and as a container can forge them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSegment, tcpFlags } from "../../../../src/core/name-check/segment.ts";
import { seeded } from "../../../support/seeded.ts";

const { ack, fin, rst, syn, urg } = tcpFlags;
const psh = 0x08;
const hello = Buffer.from("the first bytes");

interface Parts {
  readonly flags?: number;
  readonly options?: string;
  readonly payload?: Buffer;
  /** In place of the header's right length in words of four bytes. */
  readonly dataOffset?: number;
}

function tcp({ flags = ack | psh, options = "", payload = hello, dataOffset }: Parts = {}): Buffer {
  const optionBytes = Buffer.from(options, "hex");
  const head = Buffer.alloc(20);
  head.writeUInt16BE(40_001, 0);
  head.writeUInt16BE(443, 2);
  head.writeUInt32BE(0xfedc_ba98, 4);
  head.writeUInt32BE(0x8000_0001, 8);
  head[12] = (dataOffset ?? 5 + optionBytes.length / 4) << 4;
  head[13] = flags;
  return Buffer.concat([head, optionBytes, payload]);
}

function v4(segment: Buffer, options = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(20);
  head[0] = 0x45 + options.length / 4;
  head.writeUInt16BE(20 + options.length + segment.length, 2);
  head.writeUInt16BE(0x4000, 6);
  head[9] = 6;
  head.set([172, 18, 0, 2, 192, 0, 2, 10], 12);
  return Buffer.concat([head, options, segment]);
}

function v6(segment: Buffer, next = 6): Buffer {
  const head = Buffer.alloc(40);
  head[0] = 0x60;
  head.writeUInt16BE(segment.length, 4);
  head[6] = next;
  head.set(Buffer.from("20010db8000000000000000000000002", "hex"), 8);
  head.set(Buffer.from("20010db8000100000000000000000010", "hex"), 24);
  return Buffer.concat([head, segment]);
}

const common = {
  sourcePort: 40_001,
  destinationPort: 443,
  seq: 0xfedc_ba98,
  ack: 0x8000_0001,
  flags: ack | psh,
  urgent: false,
  signed: false,
  plain: true,
  payload: hello,
};

test("a segment is read from a packet of either version", () => {
  assert.deepEqual(parseSegment(v4(tcp())), {
    family: 4,
    source: "172.18.0.2",
    destination: "192.0.2.10",
    ...common,
  });
  assert.deepEqual(parseSegment(v6(tcp())), {
    family: 6,
    source: "2001:db8::2",
    destination: "2001:db8:1::10",
    ...common,
  });
});

for (const [version, packetOf] of [
  ["IPv4", v4],
  ["IPv6", (segment: Buffer) => v6(segment)],
] as const) {
  test(`${version}: flags and options`, () => {
    const timestamps = "0101080a0000000100000002";
    const md5 = `0101${"1312"}${"00".repeat(16)}`;
    const signedByAo = `1d10${"00".repeat(14)}`;
    for (const [what, parts, expected] of [
      ["timestamps", { options: timestamps }, {}],
      ["a signature of MD5", { options: md5 }, { signed: true }],
      ["a signature of TCP-AO", { options: signedByAo }, { signed: true }],
      ["a signature behind timestamps", { options: timestamps + md5 }, { signed: true }],
      ["bytes behind the end of options", { options: "00131200" }, {}],
      ["an option without a length", { options: "01010113" }, { plain: false }],
      ["an option of length 0", { options: "08000000" }, { plain: false }],
      ["an option of length 1", { options: "08010000" }, { plain: false }],
      ["an option past the header", { options: "080a0000" }, { plain: false }],
      ["an option one byte past the header", { options: "01010803" }, { plain: false }],
      ["no ACK", { flags: psh }, { flags: psh, plain: false }],
      ["no flags at all", { flags: 0 }, { flags: 0, plain: false }],
      ["urgent", { flags: ack | urg }, { flags: ack | urg, urgent: true }],
      ["SYN with payload", { flags: syn }, { flags: syn, plain: false }],
      ["SYN and ACK", { flags: syn | ack }, { flags: syn | ack }],
      ["RST", { flags: rst | ack }, { flags: rst | ack }],
      ["FIN with payload", { flags: fin | ack }, { flags: fin | ack }],
      ["no payload", { payload: Buffer.alloc(0) }, { payload: Buffer.alloc(0) }],
      [
        "a whole packet of the queue's",
        { payload: Buffer.alloc(65_000, 7) },
        { payload: Buffer.alloc(65_000, 7) },
      ],
    ] as const) {
      const segment = parseSegment(packetOf(tcp(parts)));
      const { family: _, source: __, destination: ___, ...rest } = segment ?? assert.fail(what);
      assert.deepEqual(rest, { ...common, ...expected }, what);
    }
  });

  test(`${version}: what is cut off is no segment, and what is behind its end no payload`, () => {
    const packet = packetOf(tcp());
    for (let length = 0; length < packet.length; length++)
      assert.equal(parseSegment(packet.subarray(0, length)), undefined, `${length} bytes`);
    assert.deepEqual(parseSegment(Buffer.concat([packet, Buffer.alloc(6)]))?.payload, hello);
  });

  test(`${version}: the header of TCP lies within the packet`, () => {
    for (const dataOffset of [0, 4, 15])
      assert.equal(parseSegment(packetOf(tcp({ dataOffset }))), undefined, `offset ${dataOffset}`);
  });
}

test("IPv4: with options it is not plain", () => {
  const segment = parseSegment(v4(tcp(), Buffer.from("94040000", "hex")));
  assert.equal(segment?.plain, false);
  assert.deepEqual(segment?.payload, hello);
});

test("IPv4: fragments, other protocols and wrong lengths are no segments", () => {
  const changed = (at: number, ...bytes: number[]): Buffer => {
    const packet = v4(tcp());
    packet.set(bytes, at);
    return packet;
  };
  for (const [what, packet] of [
    ["more fragments", changed(6, 0x20, 0)],
    ["a later fragment", changed(6, 0, 3)],
    ["the last bit of the offset", changed(6, 0x10, 0)],
    ["UDP", changed(9, 17)],
    ["a header of 16 bytes", changed(0, 0x44)],
    ["a header longer than the packet", changed(0, 0x4f)],
    ["a length of nothing", changed(2, 0, 0)],
    ["a length within the header of TCP", changed(2, 0, 39)],
    ["a length past the packet", changed(2, 0, 56)],
    ["version 5", changed(0, 0x55)],
  ] as const)
    assert.equal(parseSegment(packet), undefined, what);
  assert.ok(parseSegment(changed(6, 0x80, 0)), "the reserved bit");
});

test("IPv6: with an extension header it is no segment", () => {
  const options = Buffer.from("0600010400000000", "hex");
  for (const next of [0, 43, 44, 51, 60, 135])
    assert.equal(parseSegment(v6(Buffer.concat([options, tcp()]), next)), undefined, `header ${next}`);
  assert.equal(parseSegment(v6(tcp(), 17)), undefined, "UDP");
});

test("the payload is where the packet is", () => {
  const packet = v4(tcp());
  assert.equal(parseSegment(packet)?.payload.buffer, packet.buffer);
});

test("no bytes make it throw, and no payload is longer than its packet", () => {
  const random = seeded(7);
  for (let round = 0; round < 20_000; round++) {
    const packet = random(2) === 0 ? v4(tcp({ options: "0101080a00000001" })) : v6(tcp());
    for (let faults = random(4); faults >= 0; faults--) packet[random(packet.length)] = random(256);
    const cut = packet.subarray(0, random(8) === 0 ? random(packet.length) : packet.length);
    const segment = parseSegment(cut);
    if (segment === undefined) continue;
    assert.ok(segment.payload.byteOffset + segment.payload.length <= cut.byteOffset + cut.length);
    assert.ok(segment.seq >= 0 && segment.ack >= 0);
  }
});
