// A refusal of the kernel, in the words of sets.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../../../../src/core/model/address.ts";
import { KernelSetError } from "../../../../../src/edge/kernel/ipset/error.ts";
import { attributes, type SetEntry } from "../../../../../src/edge/kernel/ipset/message.ts";
import { explained } from "../../../../../src/edge/kernel/ipset/refusal.ts";
import { NLA_F_NET_BYTEORDER } from "../../../../../src/edge/kernel/netlink/message.ts";
import { NetlinkError } from "../../../../../src/edge/kernel/netlink/refusal.ts";

const entries = Array.from({ length: 10 }, (_, i): SetEntry => {
  const address = `192.0.2.${i}` as IpAddress;
  return { key: { kind: "net", prefix: { family: 4, address, length: 32 } as never } };
});
const full = 4352;

/** The message as the kernel gives it back, with its line in it. */
function echoOf(line: number): Uint8Array {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16LE(8, 4);
  bytes.writeUInt16LE(attributes.line | NLA_F_NET_BYTEORDER, 6);
  bytes.writeUInt32BE(line, 8);
  return bytes;
}

function refusalAt(index: number, echo: Uint8Array): NetlinkError {
  return new NetlinkError("to add", index, { errno: full, hint: "", echo });
}

const cases: readonly (readonly [string, NetlinkError, number])[] = [
  ["by the line that the kernel wrote", refusalAt(1, echoOf(4)), 3],
  ["by the message, when it wrote none", refusalAt(1, new Uint8Array(0)), 2],
  ["by the message, when nothing of it was taken", refusalAt(1, echoOf(0)), 2],
];
for (const [name, refusal, entryIndex] of cases) {
  test(`the entry is known ${name}`, () => {
    const error = explained(refusal, "to add to set s", { entries, from: 2 });
    assert.ok(error instanceof KernelSetError);
    assert.deepEqual([error.reason, error.entryIndex], ["full", entryIndex]);
    assert.match(error.message, new RegExp(`192\\.0\\.2\\.${entryIndex}`));
  });
}

test("a refusal about no entry names none, and another failure stays what it is", () => {
  const error = explained(refusalAt(0, echoOf(3)), "to destroy set s");
  assert.ok(error instanceof KernelSetError);
  assert.equal(error.entryIndex, undefined);
  const other = new Error("other");
  assert.equal(explained(other, "anything"), other);
});
