// In whatever pieces a stream comes, it is read as if it came at once.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readHead } from "../../../../../src/core/name-check/http/head.ts";
import { attacks } from "../../../../support/http/attacks.ts";
import { honest } from "../../../../support/http/honest.ts";
import { walk } from "../../../../support/http/walk.ts";
import { seeded } from "../../../../support/seeded.ts";

const streams = [
  ...honest.map(({ client, text }) => [client, text] as const),
  ...Object.entries(attacks).flatMap(([refusal, texts]) =>
    Object.entries(texts).map(([name, text]) => [`${refusal}, ${name}`, text] as const),
  ),
].map(([name, text]) => ({ name, bytes: Buffer.from(text, "latin1") }));

/** Each one that is long is so for a limit: those are cut near it, and here and there. */
const short = streams.filter(({ bytes }) => bytes.length < 1000);
const long = streams.filter(({ bytes }) => bytes.length >= 1000);

describe("in pieces", () => {
  it("cut in two at every byte", () => {
    for (const { name, bytes } of short) {
      const whole = walk([bytes]);
      for (let cut = 0; cut <= bytes.length; cut++) {
        assert.deepEqual(
          walk([bytes.subarray(0, cut), bytes.subarray(cut)]),
          whole,
          `${name}, cut at ${cut}`,
        );
      }
    }
  });

  it("byte by byte", () => {
    for (const { name, bytes } of short) {
      const pieces = Array.from(bytes, (_byte, at) => bytes.subarray(at, at + 1));
      assert.deepEqual(walk(pieces), walk([bytes]), name);
    }
  });

  it("long ones, cut anywhere", () => {
    const random = seeded(11);
    for (const { name, bytes } of long) {
      for (let round = 0; round < 50; round++) {
        const pieces: Buffer[] = [];
        for (let at = 0; at < bytes.length; ) {
          const end = at + 1 + random(round % 2 === 0 ? 3000 : bytes.length);
          pieces.push(bytes.subarray(at, end));
          at = end;
        }
        assert.deepEqual(walk(pieces), walk([bytes]), `${name}, ${pieces.map(({ length }) => length)}`);
      }
    }
  });

  it("what was said of the first bytes is said whatever follows them", () => {
    for (const { name, bytes } of short) {
      const whole = readHead(bytes);
      let isDecided = false;
      for (let length = 0; length <= bytes.length; length++) {
        const read = readHead(bytes.subarray(0, length));
        if (read !== "more") assert.deepEqual(read, whole, `${name}, the first ${length}`);
        assert.ok(read !== "more" || !isDecided, `${name}, the first ${length}`);
        isDecided = read !== "more";
      }
    }
  });

  it("bytes in the middle of a longer array are read where they are", () => {
    for (const { name, bytes } of short) {
      const around = new Uint8Array(bytes.length + 64).fill(0x0a);
      around.set(bytes, 31);
      assert.deepEqual(walk([around.subarray(31, 31 + bytes.length)]), walk([bytes]), name);
    }
  });
});
