// Hellos gone wrong: nothing throws, nothing incomplete is accepted, and a second, naive reader finds the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readHello } from "../../../../src/core/name-check/client-hello.ts";
import { seeded } from "../../../support/seeded.ts";
import { browserHello, filler, helloMessage, serverName } from "../../../support/tls/build-hello.ts";
import { mutatedHello } from "../../../support/tls/mutate-hello.ts";
import { naiveHello } from "../../../support/tls/naive-hello.ts";
import { recorded } from "../../../support/tls/recorded.ts";

const rounds = 20_000;

const messages = [
  ...recorded("hello").map(({ bytes }) => bytes.subarray(5, 5 + bytes.readUInt16BE(3))),
  browserHello("api.example.com"),
  helloMessage(),
  helloMessage({ sessionId: Buffer.alloc(0), extensions: [serverName("A.example.com")] }),
  helloMessage({ extensions: [filler(5), serverName("www.example.net"), filler(0, 0xfe0d)] }),
];

test("the naive reader finds what was recorded", () => {
  for (const { program, bytes } of recorded("hello"))
    assert.equal(naiveHello(bytes)?.name, "api.example.com", program);
});

test("mutated hellos are read as a naive reader reads them", () => {
  const random = seeded(5);
  const tally: Record<string, number> = { more: 0, hello: 0 };
  for (let round = 0; round < rounds; round++) {
    const stream = mutatedHello(random, messages);
    const before = Buffer.from(stream);
    const reading = readHello(stream);
    const naive = naiveHello(stream);
    const label = `round ${round}: ${stream.toString("base64")}`;
    assert.ok(before.equals(stream), label);
    if (reading === "more" || "refusal" in reading) {
      assert.equal(naive, undefined, label);
      const outcome = reading === "more" ? reading : reading.refusal;
      tally[outcome] = (tally[outcome] ?? 0) + 1;
      continue;
    }
    assert.deepEqual({ ...reading.hello, length: reading.length }, naive, label);
    assert.equal(readHello(stream.subarray(0, reading.length - 1)), "more", label);
    assert.equal(readHello(stream.subarray(0, random(reading.length))), "more", label);
    tally["hello"] = (tally["hello"] ?? 0) + 1;
  }
  // The run must reach what it is about.
  for (const outcome of [
    "hello",
    "more",
    "malformed-hello",
    "not-a-hello",
    "not-tls",
    "long-hello",
    "odd-name",
  ])
    assert.ok((tally[outcome] ?? 0) > 50, JSON.stringify(tally));
});
