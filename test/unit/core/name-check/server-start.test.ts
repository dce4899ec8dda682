// The first bytes of servers: their hello, the demand for a second one of the client, and anything else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readServerStart, type ServerStart } from "../../../../src/core/name-check/server-start.ts";
import { seeded } from "../../../support/seeded.ts";
import { cutAt, record, vector } from "../../../support/tls/build-hello.ts";
import { recorded } from "../../../support/tls/recorded.ts";

const retryRandom = Buffer.from("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c", "hex");
const warning = Buffer.from("15030300020170", "hex");

function message(random: Buffer, type = 2): Buffer {
  return Buffer.concat([
    Buffer.from([type]),
    vector(Buffer.concat([Buffer.from([3, 3]), random, Buffer.alloc(38)]), 3),
  ]);
}

const retry = message(retryRandom);
const hello = message(Buffer.alloc(32, 0x42));
const almostRetry = message(Buffer.concat([retryRandom.subarray(0, 31), Buffer.from([0x9d])]));

for (const { program, bytes } of recorded("server hello"))
  test(`the hello of ${program} is one`, () => assert.equal(readServerStart(bytes), "hello"));

for (const { program, bytes } of recorded("server retry"))
  test(`${program} asks for a second hello`, () => assert.equal(readServerStart(bytes), "retry"));

const starts: readonly (readonly [what: string, bytes: Buffer, start: ServerStart])[] = [
  ["a hello", record(hello), "hello"],
  ["a retry", record(retry), "retry"],
  ["a retry of TLS 1.0's record version", record(retry, 22, 0x0301), "retry"],
  ["a random value that differs in its last byte", record(almostRetry), "hello"],
  ["a hello behind a warning", Buffer.concat([warning, record(hello)]), "hello"],
  ["a retry behind a warning", Buffer.concat([warning, record(retry)]), "retry"],
  ["a retry behind two warnings", Buffer.concat([warning, warning, record(retry)]), "retry"],
  [
    "a retry in records of one byte",
    cutAt(
      retry,
      Array.from({ length: retry.length - 1 }, (_, at) => at + 1),
    ),
    "retry",
  ],
  ["a fatal alert", Buffer.from("15030300020228", "hex"), "other"],
  ["a fatal alert behind a warning", Buffer.concat([warning, Buffer.from("15030300020228", "hex")]), "other"],
  ["an alert of another length", Buffer.from("1503030003017000", "hex"), "other"],
  [
    "an alert within the hello",
    Buffer.concat([record(retry.subarray(0, 20)), warning, record(retry.subarray(20))]),
    "other",
  ],
  ["an empty record", record(Buffer.alloc(0)), "other"],
  ["another handshake message", record(message(retryRandom, 0)), "other"],
  ["application data", record(retry, 23), "other"],
  ["HTTP", Buffer.from("HTTP/1.1 400 Bad Request\r\n"), "other"],
  ["SSH", Buffer.from("SSH-2.0-OpenSSH_9.2\r\n"), "other"],
  ["nothing", Buffer.alloc(0), "more"],
  ["a warning alone", warning, "more"],
];

for (const [what, bytes, start] of starts)
  test(`${start}: ${what}`, () => {
    assert.equal(readServerStart(bytes), start);
    assertOneAnswer(bytes);
    if (start !== "more") assert.equal(readServerStart(Buffer.concat([bytes, record(hello)])), start);
  });

test("a retry is known by its last byte of the random value, and not before", () => {
  const bytes = record(retry);
  const known = 5 + 4 + 2 + 32;
  assert.equal(readServerStart(bytes.subarray(0, known - 1)), "more");
  assert.equal(readServerStart(bytes.subarray(0, known)), "retry");
});

test("it is the same by every cut into two records, and every byte that is another makes it a hello", () => {
  for (let at = 1; at < retry.length; at++) {
    assert.equal(readServerStart(cutAt(retry, [at])), "retry", `cut at ${at}`);
    assertOneAnswer(cutAt(retry, [at]));
  }
  for (let at = 0; at < 32; at++) {
    const random = Buffer.from(retryRandom);
    random[at] = (random[at] ?? 0) ^ 1;
    assert.equal(readServerStart(record(message(random))), "hello", `byte ${at}`);
  }
});

test("no bytes make it throw, and none give two answers", () => {
  const random = seeded(13);
  for (let round = 0; round < 3_000; round++) {
    const bytes = Buffer.concat([
      random(3) === 0 ? warning : Buffer.alloc(0),
      cutAt(retry, [1 + random(40)]),
    ]);
    for (let faults = random(3); faults > 0; faults--) bytes[random(bytes.length)] = random(256);
    assertOneAnswer(bytes);
  }
});

function assertOneAnswer(bytes: Buffer): void {
  const whole = readServerStart(bytes);
  let known = false;
  for (let length = 0; length < bytes.length; length++) {
    const start = readServerStart(bytes.subarray(0, length));
    assert.ok(start === whole || (start === "more" && !known), `${start} at ${length}, ${whole} as a whole`);
    known ||= start !== "more";
  }
}
