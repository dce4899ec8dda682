// The bytes of a reset, by the rule for their checksum.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressBytes, addressFromBytes } from "../../../../../src/core/model/address.ts";
import { type Reset, resetPacket } from "../../../../../src/edge/kernel/flows/resets.ts";
import { readSegment } from "../../../../support/segments.ts";

const number = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });

const resets: fc.Arbitrary<Reset> = fc.constantFrom(4 as const, 6 as const).chain((family) => {
  const size = family === 4 ? 4 : 16;
  const address = fc.uint8Array({ minLength: size, maxLength: size }).map(addressFromBytes);
  return fc.record({
    family: fc.constant(family),
    source: address,
    destination: address,
    sourcePort: number(16),
    destinationPort: number(16),
    seq: number(32),
    ack: number(32),
    flags: fc.constantFrom(0, 16),
  });
});

/** In ones' complement; a right checksum makes it all ones. */
function sumOf(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

test("a reset says what it is told to, with the checksum that its receiver computes", () => {
  fc.assert(
    fc.property(resets, (reset) => {
      const packet = Buffer.from(resetPacket(reset));
      const segment = packet.subarray(reset.family === 4 ? 20 : 40);
      // The kernel fills in the length of an IPv4 packet.
      if (reset.family === 4) packet.writeUInt16BE(packet.length, 2);
      assert.deepEqual(readSegment(packet), { ...reset, flags: reset.flags | 4, text: "" });
      const ends = [addressBytes(reset.source), addressBytes(reset.destination)];
      assert.equal(sumOf(Buffer.concat([...ends, Buffer.from([0, 6, 0, segment.length]), segment])), 0xffff);
    }),
  );
});
