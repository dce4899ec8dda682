// A tracked flow as the kernel writes it down, and how it is named to the kernel again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressBytes, type Family, type IpAddress } from "../../../../../src/core/model/address.ts";
import {
  type Flow,
  messages,
  readFlow,
  writeHeader,
  writeIdentity,
  writeMark,
} from "../../../../../src/edge/kernel/flows/flow-message.ts";
import { eachMessage, viewOf } from "../../../../../src/edge/kernel/netlink/message.ts";
import { NetlinkWriter } from "../../../../../src/edge/kernel/netlink/writer.ts";

const ctaOriginal = 1;
const ctaReply = 2;
const ctaMark = 8;

function writeTuple(writer: NetlinkWriter, type: number, from: IpAddress, to: IpAddress): void {
  const [source, destination] = from.includes(":") ? [3, 4] : [1, 2];
  writer.nest(type);
  writer.nest(1).value(source, addressBytes(from)).value(destination, addressBytes(to)).end();
  writer.nest(2).u8(1, 17).u16be(2, 40_000).u16be(3, 53).end();
  writer.end();
}

function begin(): NetlinkWriter {
  const writer = new NetlinkWriter().reset();
  writeHeader(writer, messages.get, 0, 4);
  return writer;
}

function read(writer: NetlinkWriter, family: Family): Flow | undefined {
  let flow: Flow | undefined;
  const { bytes } = writer;
  eachMessage(viewOf(bytes), bytes.length, (message) => {
    flow = readFlow(message, family);
  });
  return flow;
}

const pairs: readonly (readonly [Family, string, string])[] = [
  [4, "192.0.2.1", "198.51.100.7"],
  [6, "2001:db8::1", "2001:db8::7"],
];
for (const [family, one, other] of pairs) {
  const [from, to] = [one as IpAddress, other as IpAddress];
  test(`an IPv${family} flow, named again by what it was read as`, () => {
    const writer = begin();
    writeTuple(writer, ctaOriginal, from, to);
    writeTuple(writer, ctaReply, to, from);
    writer.u32be(ctaMark, 0xd0c4_0000);
    const flow = read(writer, family);
    const transport = { ipProtocol: 17, sourcePort: 40_000, destinationPort: 53 };
    assert.deepEqual(flow?.original, { source: from, destination: to, ...transport });
    assert.deepEqual(flow.reply, { source: to, destination: from, ...transport });
    assert.equal(flow.mark, 0xd0c4_0000);

    const again = begin();
    writeIdentity(again, flow.identity);
    writeTuple(again, ctaReply, to, from);
    writeMark(again, { value: 1 });
    assert.deepEqual(read(again, family), { ...flow, mark: 1 });
  });
}

test("what has one direction only is no flow", () => {
  const writer = begin();
  writeTuple(writer, ctaOriginal, "192.0.2.1" as IpAddress, "192.0.2.2" as IpAddress);
  assert.equal(read(writer, 4), undefined);
});
