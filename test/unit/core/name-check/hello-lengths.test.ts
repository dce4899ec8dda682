// Every length field of a hello, one more and one less than it should be.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readHello } from "../../../../src/core/name-check/client-hello.ts";
import type { Refusal } from "../../../../src/core/name-check/refusals.ts";
import { filler, helloMessage, record, serverName } from "../../../support/tls/build-hello.ts";

const hello = record(
  helloMessage({ extensions: [filler(40, 51), serverName("api.example.com"), filler(7)] }),
);

const session = 5 + 4 + 34;
const suites = session + 1 + 32;
const methods = suites + 2 + 8;
const extensions = methods + 1 + 1;
const share = extensions + 2 + 2;
const names = share + 2 + 40 + 2;
const padding = names + 2 + 2 + 3 + 15 + 2;

interface Field {
  readonly what: string;
  readonly at: number;
  readonly bytes: 1 | 2 | 3;
  readonly value: number;
  readonly more: Refusal | "more";
  readonly less: Refusal | "more";
}

const total = hello.length;
const fields: readonly Field[] = [
  { what: "record", at: 3, bytes: 2, value: total - 5, more: "malformed-hello", less: "not-a-hello" },
  { what: "message", at: 6, bytes: 3, value: total - 9, more: "more", less: "malformed-hello" },
  { what: "session", at: session, bytes: 1, value: 32, more: "malformed-hello", less: "malformed-hello" },
  { what: "suites", at: suites, bytes: 2, value: 8, more: "malformed-hello", less: "malformed-hello" },
  { what: "methods", at: methods, bytes: 1, value: 1, more: "malformed-hello", less: "malformed-hello" },
  {
    what: "extensions",
    at: extensions,
    bytes: 2,
    value: total - extensions - 2,
    more: "malformed-hello",
    less: "malformed-hello",
  },
  {
    what: "extension before",
    at: share,
    bytes: 2,
    value: 40,
    more: "malformed-hello",
    less: "malformed-hello",
  },
  { what: "server_name", at: names, bytes: 2, value: 20, more: "malformed-hello", less: "malformed-hello" },
  { what: "list", at: names + 2, bytes: 2, value: 18, more: "malformed-hello", less: "malformed-hello" },
  { what: "host_name", at: names + 5, bytes: 2, value: 15, more: "malformed-hello", less: "not-one-name" },
  {
    what: "extension behind",
    at: padding,
    bytes: 2,
    value: 7,
    more: "malformed-hello",
    less: "malformed-hello",
  },
];

function withValue({ at, bytes }: Field, value: number): Buffer {
  const copy = Buffer.from(hello);
  copy.writeUIntBE(value, at, bytes);
  return copy;
}

test("the hello of this file is right", () => {
  assert.ok(Object.hasOwn(Object(readHello(hello)), "hello"));
});

for (const field of fields)
  test(`the length of ${field.what}`, () => {
    const { what, at, bytes, value } = field;
    assert.equal(hello.readUIntBE(at, bytes), value, `${what} is where it is looked for`);
    const expected = (outcome: Refusal | "more") => (outcome === "more" ? outcome : { refusal: outcome });
    assert.deepEqual(readHello(withValue(field, value + 1)), expected(field.more), `${what}: one more`);
    assert.deepEqual(readHello(withValue(field, value - 1)), expected(field.less), `${what}: one less`);
    for (let other = 0; other < Math.min(256 ** bytes, 0x1_0000); other++) {
      if (other === value) continue;
      const reading = readHello(withValue(field, other));
      assert.ok(reading === "more" || "refusal" in reading, `${what}: ${other} in place of ${value}`);
    }
  });

test("a message that is told to be longer goes on in the next record, and must be right there too", () => {
  const longer = withValue(fields[1] ?? assert.fail(), hello.length - 9 + 1);
  assert.deepEqual(readHello(Buffer.concat([longer, record(Buffer.from([0]))])), {
    refusal: "malformed-hello",
  });
});
