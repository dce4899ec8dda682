// Which bytes of a host_name are a name, and which are refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalAsked } from "../../../../src/core/name-check/asked-name.ts";
import type { Refusal } from "../../../../src/core/name-check/refusals.ts";

const label63 = "a".repeat(63);
const name253 = `${label63}.${label63}.${label63}.${"b".repeat(61)}`;

const accepted: readonly (readonly [asked: string, name: string])[] = [
  ["api.example.com", "api.example.com"],
  ["API.Example.COM", "api.example.com"],
  ["_dmarc.example.com", "_dmarc.example.com"],
  ["my_bucket.s3.example.com", "my_bucket.s3.example.com"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["1.example.com", "1.example.com"],
  ["192.0.2.10.example.com", "192.0.2.10.example.com"],
  ["0x7f.example.com", "0x7f.example.com"],
  ["a.b", "a.b"],
  [`${label63}.com`, `${label63}.com`],
  [name253, name253],
];

const refused: readonly (readonly [asked: string, refusal: Refusal])[] = [
  ["", "odd-name"],
  [".", "dot-at-end"],
  ["..", "dot-at-end"],
  ["api.example.com.", "dot-at-end"],
  ["com.", "dot-at-end"],
  ["192.0.2.10.", "dot-at-end"],
  ["api..example.com", "odd-name"],
  [".example.com", "odd-name"],
  ["localhost", "single-label"],
  ["web", "single-label"],
  ["192.0.2.10", "address-as-name"],
  ["127.1", "address-as-name"],
  ["3232235786", "address-as-name"],
  ["0x7f000001", "address-as-name"],
  ["0x7f.0.0.0X1", "address-as-name"],
  ["0x7f.0x", "address-as-name"],
  ["1.2.3.4.5", "address-as-name"],
  ["example.123", "address-as-name"],
  ["2001:db8::1", "address-as-name"],
  ["::ffff:192.0.2.10", "address-as-name"],
  ["[2001:db8::1]", "odd-name"],
  ["api.example.com\0", "odd-name"],
  ["api.example.com\0.evil.example", "odd-name"],
  ["\0", "odd-name"],
  ["api.example.com:443", "odd-name"],
  ["api.example.com/", "odd-name"],
  ["user@api.example.com", "odd-name"],
  ["*.example.com", "odd-name"],
  ["api example.com", "odd-name"],
  ["api.example.com\n", "odd-name"],
  [" api.example.com", "odd-name"],
  ["api\\.example.com", "odd-name"],
  ["%61pi.example.com", "odd-name"],
  ["-api.example.com", "odd-name"],
  ["api-.example.com", "odd-name"],
  [`a${label63}.com`, "odd-name"],
  [`b${name253}`, "odd-name"],
  [`${"a.".repeat(127)}a`, "odd-name"],
  ["a".repeat(300), "odd-name"],
  ["b\u00fccher.example", "odd-name"],
];

test("a host_name is read in lower case", () => {
  for (const [asked, name] of accepted) assert.deepEqual(canonicalAsked(bytes(asked)), { name }, asked);
});

test("what is not the plain form of a domain name is refused", () => {
  for (const [asked, refusal] of refused)
    assert.deepEqual(canonicalAsked(bytes(asked)), { refusal }, JSON.stringify(asked));
});

test("U-labels are refused in each encoding, and full-width forms of letters and dots too", () => {
  for (const text of [
    "b\u00fccher.example",
    "api\u3002example.com",
    "\uff41pi.example.com",
    "\u212aube.example.com",
  ])
    for (const encoding of ["utf8", "utf16le"] as const)
      assert.deepEqual(canonicalAsked(Buffer.from(text, encoding)), { refusal: "odd-name" }, text);
});

test("every single byte in a name is either of a plain name or refused", () => {
  for (let byte = 0; byte < 256; byte++) {
    const asked = Uint8Array.from([0x61, byte, ...bytes("b.example")]);
    const isPlain = /[a-z0-9_.-]/i.test(String.fromCharCode(byte));
    assert.equal("name" in canonicalAsked(asked), isPlain, `byte ${byte}`);
  }
});

test("it is read from the middle of other bytes", () => {
  assert.deepEqual(canonicalAsked(bytes("xxapi.example.comyy").subarray(2, 17)), { name: "api.example.com" });
});

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
