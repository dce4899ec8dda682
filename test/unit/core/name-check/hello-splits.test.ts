// A hello has one answer, however it is cut into segments and records, and none before its last byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type HelloReading, readHello } from "../../../../src/core/name-check/client-hello.ts";
import { seeded } from "../../../support/seeded.ts";
import { browserHello, cutAt, helloMessage, nameList, serverName } from "../../../support/tls/build-hello.ts";
import { mutatedHello } from "../../../support/tls/mutate-hello.ts";
import { recorded } from "../../../support/tls/recorded.ts";

/** The handshake message of a recorded hello, all of which are in one record. */
function messageOf(bytes: Buffer): Buffer {
  return bytes.subarray(5, 5 + bytes.readUInt16BE(3));
}

const hellos = recorded("hello").map(({ program, bytes }) => ({ program, message: messageOf(bytes) }));

/** Whether it is the same hello; the length differs by the records. */
function helloOf(reading: HelloReading): unknown {
  assert.ok(reading !== "more" && "hello" in reading, JSON.stringify(reading));
  return reading.hello;
}

/** As the bytes of a stream arrive one by one: `more`, and then the answer of the whole for good. */
function assertOneAnswer(stream: Uint8Array, from = 0): void {
  const whole = readHello(stream);
  let known = false;
  for (let length = from; length <= stream.length; length++) {
    const reading = readHello(stream.subarray(0, length));
    if (reading === "more") assert.ok(!known, `unknown again at ${length}`);
    else assert.deepEqual(reading, whole, `at ${length}`);
    known ||= reading !== "more";
    if (known && "length" in Object(reading))
      assert.ok(length >= Object(reading).length, `early at ${length}`);
  }
}

for (const { program, message } of hellos) {
  test(`${program}: cut at every byte into two segments`, () => {
    assertOneAnswer(Buffer.concat([cutAt(message, []), Buffer.from("140303000101", "hex")]));
  });

  test(`${program}: cut at every byte into two records`, () => {
    const whole = helloOf(readHello(cutAt(message, [])));
    for (let at = 1; at < message.length; at++) {
      const bytes = cutAt(message, [at]);
      const reading = readHello(bytes);
      assert.deepEqual(helloOf(reading), whole, `at ${at}`);
      assert.equal(readHello(bytes.subarray(0, -1)), "more");
      assert.equal(readHello(bytes.subarray(0, 5 + at)), "more");
    }
  });
}

test("cut at every byte into two records, and at every byte into two segments", () => {
  const message = helloMessage();
  for (let at = 1; at < message.length; at++) assertOneAnswer(cutAt(message, [at]));
});

test("a refused hello is refused at the same byte by every cut", () => {
  for (const extensions of [
    [],
    [nameList()],
    [serverName("192.0.2.10")],
    [serverName("a.example"), serverName("b.example")],
  ]) {
    const message = helloMessage({ extensions });
    const whole = readHello(cutAt(message, []));
    for (let at = 1; at < message.length; at++) {
      assert.deepEqual(readHello(cutAt(message, [at])), whole);
      assertOneAnswer(cutAt(message, [at]));
    }
  }
});

test("cut into 3 to 16 records anywhere, and into segments anywhere", () => {
  const random = seeded(3);
  const messages = [...hellos.map(({ message }) => message), browserHello("api.example.com")];
  for (let round = 0; round < 300; round++) {
    const message = messages[round % messages.length] ?? assert.fail();
    const whole = helloOf(readHello(cutAt(message, [])));
    const ends = new Set(Array.from({ length: 2 + random(14) }, () => 1 + random(message.length - 1)));
    const bytes = cutAt(
      message,
      [...ends].sort((a, b) => a - b),
    );
    assert.deepEqual(helloOf(readHello(bytes)), whole);
    for (let cuts = 0; cuts < 20; cuts++)
      assert.equal(readHello(bytes.subarray(0, random(bytes.length))), "more");
  }
});

test("a hello with faults has one answer too", () => {
  const random = seeded(11);
  const messages = [
    helloMessage(),
    helloMessage({ extensions: [serverName("a.example.com")], sessionId: Buffer.alloc(0) }),
  ];
  for (let round = 0; round < 600; round++) assertOneAnswer(mutatedHello(random, messages));
});
