// The longest that passes; what is one longer is among the attacks.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BodyReader } from "../../../../../src/core/name-check/http/body.ts";
import { chunks, get, post } from "../../../../support/http/attacks/make.ts";
import { walk } from "../../../../support/http/walk.ts";

const trailers = (bytes: number): string => `X: ${"a".repeat(bytes - "X: \r\n\r\n".length)}`;

const longest = {
  "a head of 16 KB": post(`X: ${"a".repeat(16_384 - post("X: ").length)}`),
  "100 fields": post(Array.from({ length: 99 }, (_, at) => `X-${at}: y`).join("\r\n")),
  "a method of 31 bytes": get("/").replace("GET", "A".repeat(31)),
  "a length of 2^53 - 1": post("Content-Length: 9007199254740991"),
  "a chunk of 2 GB": chunks("7fffffff", "a"),
  "a size of 8 digits": chunks("0000000A", "0123456789", "00000000", "", ""),
  "extensions of 256 bytes": chunks(`1;${"a".repeat(255)}`, "a", `0;${"b".repeat(255)}`, "", ""),
  "trailers of 4 KB": chunks("0", trailers(4096), "", ""),
  "a name of 253 characters": get("/").replace("www.example.org", `${"a23456789.".repeat(25)}org`),
  "a label of 63 characters": get("/").replace("www", "a".repeat(63)),
  "a port of 5 digits": get("/").replace(".org", ".org:65535"),
};

describe("limits", () => {
  for (const [limit, text] of Object.entries(longest)) {
    it(limit, () => {
      const { requests, refusal, waiting } = walk([Buffer.from(text, "latin1")]);
      assert.deepEqual([requests.length, refusal, waiting], [1, undefined, 0]);
    });
  }

  it("a body of more than 4 GB ends at its last byte", () => {
    const piece = new Uint8Array(2 ** 20);
    const reader = new BodyReader(2 ** 32 + 5);
    for (let round = 0; round < 2 ** 12; round++) assert.equal(reader.push(piece), "more");
    assert.deepEqual(reader.push(piece), { rest: 2 ** 20 - 5 });
  });

  it("what ended stays ended, and what was refused stays refused", () => {
    const ended = new BodyReader("chunks");
    assert.deepEqual(ended.push(Buffer.from("0\r\n\r\nGET")), { rest: 3 });
    assert.deepEqual(ended.push(Buffer.from("GET")), { rest: 3 });
    const refused = new BodyReader("chunks");
    assert.deepEqual(refused.push(Buffer.from("-1")), { refusal: "chunk-size" });
    assert.deepEqual(refused.push(Buffer.from("0\r\n\r\n")), { refusal: "chunk-size" });
  });
});
