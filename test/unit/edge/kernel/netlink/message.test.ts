import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  eachAttribute,
  eachMessage,
  hostBytes,
  littleEndian,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_NONREC,
  numberMessages,
  readBytes,
  readText,
  viewOf,
} from "../../../../../src/edge/kernel/netlink/message.ts";
import { NetlinkWriter } from "../../../../../src/edge/kernel/netlink/writer.ts";

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

test("a message with a header and nested attributes", { skip: !littleEndian }, () => {
  const writer = new NetlinkWriter();
  writer.message(0x0609, 5).netfilterHeader(2, 0x1234).text(2, "ab").nest(7).u16be(4, 443).u8(7, 6).end();
  assert.equal(
    hex(writer.bytes),
    [
      "300000000906050000000000" + "00000000", // length 48, type, flags, sequence, port id
      "02001234", // family, version, resource in network order
      "070002006162000" + "0", // length 7, "ab", NUL, padding
      "14000780", // nested, length 20
      "0600040001bb0000",
      "0500070006000000",
    ].join(""),
  );
});

test("every message has its own length, and sequence numbers count up", () => {
  const writer = new NetlinkWriter();
  writer.message(1, NLM_F_ACK).u32be(1, 1).message(2, 0).message(3, NLM_F_DUMP).raw(new Uint8Array(5));
  const { bytes } = writer;
  assert.equal(numberMessages(bytes, 0xffff_ffff).filter(Boolean).length, 2);
  const seen: unknown[] = [];
  eachMessage(viewOf(bytes), bytes.length, ({ type, sequence, start, end }) =>
    seen.push([type, sequence, end - start]),
  );
  assert.deepEqual(seen, [
    [1, 0xffff_ffff, 8],
    [2, 0, 0],
    [3, 1, 8],
  ]);
});

test("a request to remove that has a bit of a dump's is answered no more than another", () => {
  const writer = new NetlinkWriter();
  writer.message(1, NLM_F_NONREC).message(2, NLM_F_NONREC | NLM_F_ACK);
  assert.deepEqual(numberMessages(writer.bytes, 1), [false, true]);
});

test("a nest that was not opened cannot be closed", () => {
  assert.throws(() => new NetlinkWriter().message(1, 0).end(), RangeError);
});

test("a buffer that is used again carries nothing over", () => {
  const writer = new NetlinkWriter();
  writer.message(1, 0).value(1, new Uint8Array(100).fill(0xff));
  writer.reset().message(2, 0).value(1, Uint8Array.of(1));
  assert.equal(
    hex(writer.bytes.subarray(16)),
    hex(Uint8Array.of(...writer.bytes.subarray(16, 20), 1, 0, 0, 0)),
  );
});

test("what is written is read, at any size", () => {
  const attribute = fc.record(
    { type: fc.nat(0x3fff), value: fc.uint8Array({ maxLength: 3000 }) },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(attribute, { maxLength: 20 }), (attributes) => {
      const writer = new NetlinkWriter();
      writer.message(1, 0);
      for (const { type, value } of attributes) writer.value(type, value);
      const { bytes } = writer;
      const view = viewOf(bytes);
      const read: unknown[] = [];
      eachMessage(view, bytes.length, ({ start, end }) =>
        eachAttribute(view, start, end, (type, from, to) =>
          read.push({ type, value: readBytes(view, from, to) }),
        ),
      );
      assert.deepEqual(read, attributes);
    }),
  );
});

test("texts end at their NUL", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", "ü", "€", "😀", "\0") }), (text) => {
      const writer = new NetlinkWriter();
      const { bytes } = writer.message(1, 0).text(5, text);
      const view = viewOf(bytes);
      let read = "";
      eachAttribute(view, 16, bytes.length, (_type, from, to) => {
        read = readText(view, from, to);
      });
      assert.equal(read, text.split("\0")[0]);
    }),
  );
});

test("any bytes are walked to an end without a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, length) => {
      const view = viewOf(bytes);
      eachMessage(view, Math.min(length, bytes.length), ({ start, end }) =>
        eachAttribute(view, start, end, (_type, from, to) => {
          assert.ok(from <= to && to <= bytes.length);
          readText(view, from, to);
        }),
      );
    }),
    { numRuns: 5_000 },
  );
});

test("numbers in host order", { skip: !littleEndian }, () => {
  assert.equal(hex(hostBytes(0x01020304)), "04030201");
});
