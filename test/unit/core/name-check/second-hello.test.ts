// What follows a first hello while the server may still ask for a second one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Hello, readHello } from "../../../../src/core/name-check/client-hello.ts";
import type { Refusal } from "../../../../src/core/name-check/refusals.ts";
import { readSecondHello } from "../../../../src/core/name-check/second-hello.ts";
import { seeded } from "../../../support/seeded.ts";
import {
  browserHello,
  filler,
  helloFor,
  helloMessage,
  inRecords,
  nameList,
  record,
  serverName,
} from "../../../support/tls/build-hello.ts";
import { mutatedHello } from "../../../support/tls/mutate-hello.ts";
import { naiveHello } from "../../../support/tls/naive-hello.ts";
import { recorded, recordedName } from "../../../support/tls/recorded.ts";

const name = "api.example.com";
const first: Hello = { name, asked: name, hasEch: false };
const again = helloFor(name, filler(97, 51));
const cipherChange = Buffer.from("140303000101", "hex");
const earlyData = record(Buffer.alloc(60, 0x17), 23, 0x0303);
const longestEarlyData = record(Buffer.alloc(16_640), 23, 0x0303);

for (const { program, bytes } of recorded("retried"))
  test(`the second hello of ${program} is read, by every cut`, () => {
    const start = readHello(bytes);
    assert.ok(start !== "more" && "hello" in start);
    const rest = bytes.subarray(start.length);
    for (let length = 0; length < rest.length; length++)
      assert.equal(readSecondHello(rest.subarray(0, length), start.hello), "more", `${length} bytes`);
    assert.deepEqual(readSecondHello(rest, start.hello), {
      hello: { name: recordedName, asked: recordedName, hasEch: false },
      length: rest.length,
    });
  });

test("accepted: the same name, with what is skipped before it", () => {
  for (const [what, before] of [
    ["nothing", []],
    ["change_cipher_spec", [cipherChange]],
    ["early data", [earlyData]],
    ["both, as clients send it", [cipherChange, earlyData, earlyData]],
    ["both the other way round", [earlyData, cipherChange]],
    ["the longest early data", [longestEarlyData, longestEarlyData]],
  ] as const)
    for (const hello of [again, inRecords(helloMessage(), 5), inRecords(browserHello(name), 16)]) {
      const bytes = Buffer.concat([...before, hello]);
      const reading = readSecondHello(bytes, first);
      assert.ok(reading !== "more" && "hello" in reading, `${what}: ${JSON.stringify(reading)}`);
      assert.deepEqual([reading.hello.name, reading.length], [name, bytes.length], what);
      assert.deepEqual(readSecondHello(Buffer.concat([bytes, earlyData]), first), reading, "more behind it");
    }
});

test("more: while nothing but early data has come", () => {
  for (const before of [[], [cipherChange], [cipherChange, earlyData], [earlyData, earlyData]])
    assert.equal(readSecondHello(Buffer.concat(before), first), "more");
});

const refused: readonly (readonly [what: string, bytes: Buffer, refusal: Refusal])[] = [
  ["another name", helloFor("www.evil.example"), "other-name"],
  ["another name behind early data", Buffer.concat([earlyData, helloFor("www.evil.example")]), "other-name"],
  ["the same name in capitals", helloFor("API.example.com"), "other-name"],
  ["no name", record(helloMessage({ extensions: [filler(3)] })), "no-name"],
  ["two names", record(helloMessage({ extensions: [serverName(name), serverName(name)] })), "not-one-name"],
  [
    "a list of two",
    record(helloMessage({ extensions: [nameList([0, Buffer.from(name)], [0, Buffer.from(name)])] })),
    "not-one-name",
  ],
  ["17 records", inRecords(helloMessage(), 17), "long-hello"],
  ["another handshake message", record(helloMessage({ messageType: 11 })), "not-a-hello"],
  ["an alert", Buffer.from("15030300020100", "hex"), "not-a-hello"],
  ["no record at all", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "not-a-hello"],
  ["early data of another version", record(Buffer.alloc(60), 23, 0x0200), "not-a-hello"],
  ["empty early data", record(Buffer.alloc(0), 23), "malformed-hello"],
  ["early data that is too long", record(Buffer.alloc(16_641), 23), "malformed-hello"],
  ["change_cipher_spec of two bytes", record(Buffer.from([1, 1]), 20), "malformed-hello"],
  ["change_cipher_spec of another value", record(Buffer.from([2]), 20), "malformed-hello"],
  ["early data within the hello", within(earlyData), "not-a-hello"],
  ["change_cipher_spec within the hello", within(cipherChange), "not-a-hello"],
];

for (const [what, bytes, refusal] of refused)
  test(`refused: ${what}`, () => {
    assert.deepEqual(readSecondHello(bytes, first), { refusal });
    let known = false;
    for (let length = 0; length <= bytes.length; length++) {
      const reading = readSecondHello(bytes.subarray(0, length), first);
      if (reading === "more") assert.ok(!known, `unknown again at ${length}`);
      else assert.deepEqual(reading, { refusal }, `at ${length}`);
      known ||= reading !== "more";
    }
  });

test("mutated second hellos: what is accepted asks for the same name, as a naive reader finds it too", () => {
  const random = seeded(9);
  const messages = [
    helloMessage(),
    browserHello(name),
    helloMessage({ extensions: [serverName("www.evil.example")] }),
  ];
  let accepted = 0;
  for (let round = 0; round < 4_000; round++) {
    const skipped = [Buffer.alloc(0), cipherChange, earlyData][random(3)] ?? cipherChange;
    const hello = mutatedHello(random, messages);
    const reading = readSecondHello(Buffer.concat([skipped, hello]), first);
    const naive = naiveHello(hello);
    const isAccepted = reading !== "more" && "hello" in reading;
    assert.equal(isAccepted, naive?.asked === name, `round ${round}: ${hello.toString("base64")}`);
    if (isAccepted) assert.equal(reading.length, skipped.length + (naive?.length ?? 0));
    accepted += Number(isAccepted);
  }
  assert.ok(accepted > 500, `${accepted}`);
});

function within(other: Buffer): Buffer {
  const hello = inRecords(helloMessage(), 2);
  const at = 5 + hello.readUInt16BE(3);
  return Buffer.concat([hello.subarray(0, at), other, hello.subarray(at)]);
}
