import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { registrableDomain, warnOfPublicSuffixes } from "../../../../src/core/policy/public-suffix.ts";
import { entriesOf } from "../../../support/policies.ts";

const warned: readonly [entry: string, suffix: string][] = [
  ["*.com", "com"],
  ["*.co.uk", "co.uk"],
  ["*.github.io", "github.io"],
  ["*.s3.amazonaws.com", "s3.amazonaws.com"],
  ["*.uk", "uk"],
  ["*.internal", "internal"],
  ["*.herokuapp.com:443/tcp", "herokuapp.com"],
  ["a*.github.io", "github.io"],
  ["a*.b.co.uk b*.co.uk", "co.uk"],
  ["api.*.github.io", "github.io"],
  ["*.amazonaws.com", "amazonaws.com"],
];

const silent: readonly string[] = [
  "example.com",
  "github.io",
  "me.github.io",
  "*.me.github.io",
  "*.example.com",
  "*.example.co.uk",
  "*.bucket.s3.amazonaws.com",
  "a*.example.com",
  "a*.b.example.co.uk",
  "!*.com",
  "!*.github.io",
  "203.0.113.0/24",
  "198.0.0.0/8",
  "2001::/16",
  "!0.0.0.0/0",
  "host:22",
  "@github",
];

describe("warnOfPublicSuffixes", () => {
  for (const [text, suffix] of warned) {
    it(`warns of ${text}`, () => {
      const [warning, ...more] = warnOfPublicSuffixes("here", entriesOf(text));
      assert.deepEqual([warning?.word, more], ["public-suffix", []]);
      assert.ok(warning?.sentence.startsWith("here: entry "));
      assert.ok(warning?.sentence.endsWith(`below ${suffix}; name only those you need`), warning?.sentence);
    });
  }
  for (const text of ["0.0.0.0/0", "128.0.0.0/1", "198.0.0.0/7", "::/0", "2000::/3", "[2000::/15]:443"])
    it(`warns of ${text}`, () => {
      const [warning, ...more] = warnOfPublicSuffixes("here", entriesOf(text));
      assert.deepEqual([warning?.word, more], ["wide-prefix", []]);
      assert.match(
        warning?.sentence ?? "",
        /^here: entry "[^"]+" covers a good part of the internet; name a longer prefix$/,
      );
    });
  for (const text of silent)
    it(`says nothing of ${text}`, () => assert.deepEqual(warnOfPublicSuffixes("here", entriesOf(text)), []));
});

describe("registrableDomain", () => {
  const cases: readonly [domain: string, registrable: string | undefined][] = [
    ["a.b.example.com", "example.com"],
    ["example.com", "example.com"],
    ["com", undefined],
    ["a.example.co.uk", "example.co.uk"],
    ["co.uk", undefined],
    ["a.me.github.io", "me.github.io"],
    ["github.io", undefined],
    ["_tcp.a.example.com", "example.com"],
  ];
  for (const [domain, registrable] of cases)
    it(`of ${domain} is ${registrable}`, () => assert.equal(registrableDomain(domain), registrable));
});
