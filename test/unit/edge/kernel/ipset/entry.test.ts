import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressFromBytes, parsePrefix, renderPrefix } from "../../../../../src/core/model/address.ts";
import { readEntry, readLine, writeEntry } from "../../../../../src/edge/kernel/ipset/entry.ts";
import { reasonOf } from "../../../../../src/edge/kernel/ipset/error.ts";
import type { SetEntry, SetKey } from "../../../../../src/edge/kernel/ipset/message.ts";
import { eachAttribute, viewOf } from "../../../../../src/edge/kernel/netlink/message.ts";
import { NetlinkWriter } from "../../../../../src/edge/kernel/netlink/writer.ts";

const address4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(addressFromBytes);
const address6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(addressFromBytes);
const prefix = fc
  .oneof(
    fc.record({ address: address4, length: fc.nat(32) }),
    fc.record({ address: address6, length: fc.nat(128) }),
  )
  .map((wide) => parsePrefix(renderPrefix(wide)))
  .filter((parsed) => parsed !== undefined);
const name = fc.stringMatching(/^[a-z0-9-]{1,15}$/);
const byte = fc.nat(255);
const port = fc.nat(65_535);
const key: fc.Arbitrary<SetKey> = fc.oneof(
  ...[address4, address6].map((address) =>
    fc.record(
      { kind: fc.constant("ip-port-ip" as const), first: address, protocol: byte, port, second: address },
      { noNullPrototype: true },
    ),
  ),
  fc.record({ kind: fc.constant("net-iface" as const), prefix, iface: name }, { noNullPrototype: true }),
  fc.record({ kind: fc.constant("net" as const), prefix }, { noNullPrototype: true }),
  fc.record({ kind: fc.constant("set" as const), name }, { noNullPrototype: true }),
);

function written(entry: SetEntry, line: number): DataView {
  const writer = new NetlinkWriter();
  writer.message(1, 0);
  writeEntry(writer, entry, line);
  return viewOf(writer.bytes);
}

test("an entry is read as it was written", () => {
  fc.assert(
    fc.property(
      key,
      fc.option(fc.nat(2_147_483)),
      fc.option(fc.string({ maxLength: 60 })),
      (entryKey, timeout, text) => {
        const comment = text?.replaceAll("\0", "") || undefined;
        const entry: SetEntry = {
          key: entryKey,
          ...(timeout !== null && { timeoutSeconds: timeout }),
          ...(comment !== undefined && { comment }),
        };
        const view = written(entry, 7);
        const read: unknown[] = [];
        eachAttribute(view, 16, view.byteLength, (_type, from, to) => read.push(readEntry(view, from, to)));
        assert.deepEqual(read, [
          {
            key: entryKey,
            timeoutSeconds: timeout ?? undefined,
            packets: undefined,
            bytes: undefined,
            comment,
          },
        ]);
      },
    ),
  );
});

test("the line of an entry is read", () => {
  const view = written({ key: { kind: "set", name: "chunk" } }, 4711);
  const lines: unknown[] = [];
  eachAttribute(view, 16, view.byteLength, (_type, from, to) => lines.push(readLine(view, from, to)));
  assert.deepEqual(lines, [4711]);
});

test("a comment that the kernel would not take is refused", () => {
  for (const comment of ["x".repeat(256), "ü".repeat(128), "a\0b"]) {
    assert.throws(() => written({ key: { kind: "set", name: "chunk" }, comment }, 1), RangeError);
  }
  written({ key: { kind: "set", name: "chunk" }, comment: "ü".repeat(127) }, 1);
});

test("codes above 4351 mean one thing of a hash and another of a list", () => {
  assert.equal(reasonOf(4352, "ip-port-ip"), "full");
  assert.equal(reasonOf(4352, "set"), "missing");
  assert.equal(reasonOf(4356, "set"), "full");
  assert.equal(reasonOf(4353, "net"), "bad-entry");
  assert.equal(reasonOf(2, undefined), "missing");
  assert.equal(reasonOf(9999, "net"), "bad-entry");
  assert.equal(reasonOf(5, "net"), "other");
});
