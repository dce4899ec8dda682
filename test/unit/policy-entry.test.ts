import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseAddress } from "../../src/model/address.ts";
import { parseAllowlist } from "../../src/policy/allowlist.ts";
import { decideName, decidePacket } from "../../src/policy/decide.ts";
import { parseEntry, renderEntry } from "../../src/policy/entry.ts";
import { policyOf, presets } from "../support/policies.ts";

const accepted: readonly [text: string, canonical: string][] = [
  ["example.com", "example.com"],
  ["Example.COM.", "example.com"],
  ["*.example.com", "*.example.com"],
  ["api.github.com:443", "api.github.com:443"],
  ["api.github.com:443/tcp", "api.github.com:443/tcp"],
  ["api.github.com/UDP", "api.github.com/udp"],
  ["db.example.com:8000-8010", "db.example.com:8000-8010"],
  ["_dmarc.example.com", "_dmarc.example.com"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["203.0.113.7", "203.0.113.7/32"],
  ["203.0.113.7/24", "203.0.113.0/24"],
  ["203.0.113.0/24:443", "203.0.113.0/24:443"],
  ["203.0.113.0/24:53/udp", "203.0.113.0/24:53/udp"],
  ["2001:DB8::1", "2001:db8::1/128"],
  ["2001:db8::/32", "2001:db8::/32"],
  ["host:5432/tcp", "host:5432/tcp"],
  ["HOST:8000-8010", "host:8000-8010"],
  ["[2001:db8::1]:443", "[2001:db8::1/128]:443"],
];

const refused: readonly string[] = [
  "*",
  "localhost",
  "a..b.com",
  "-a.example.com",
  "*.*.example.com",
  "example.com:0",
  "example.com:65536",
  "example.com:9-8",
  "example.com:",
  "example.com/icmp",
  "1.2.3",
  "1.2.3.4/33",
  "2001:db8::1:443:zz",
  "http://www.example.com",
  "host",
  "host/tcp",
  "host:1-2000",
  "exa\\mple.com",
  "example.com;drop",
  `${"a".repeat(64)}.example.com`,
  `${"a.".repeat(127)}example.com`,
];

describe("parseEntry", () => {
  for (const [text, canonical] of accepted) {
    it(`accepts ${text}`, () => {
      const result = parseEntry(text);
      assert.ok("entry" in result, JSON.stringify(result));
      assert.equal(renderEntry(result.entry), canonical);
      assert.deepEqual(parseEntry(canonical), result);
    });
  }
  for (const text of refused) {
    it(`refuses ${text.slice(0, 40)}`, () => {
      const result = parseEntry(text);
      assert.ok("problem" in result && result.problem.length > 10);
    });
  }
  it("never throws", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseEntry(text)));
  });
});

describe("parseAllowlist", () => {
  it("splits at spaces, commas and newlines", () => {
    const result = parseAllowlist(" a.example.com,*.b.example.com\n  c.example.com:443\t", presets);
    assert.ok(result.ok);
    assert.equal(result.entries.length, 3);
  });
  it("an empty label is a guarded network that may reach nothing", () => {
    assert.deepEqual(parseAllowlist("  ", presets), { ok: true, entries: [] });
  });
  it("reports every bad entry with its column", () => {
    const result = parseAllowlist("ok.example.com *, localhost", presets);
    assert.ok(!result.ok);
    assert.deepEqual(
      result.problems.map((problem) => [problem.entry, problem.column]),
      [
        ["*", 16],
        ["localhost", 19],
      ],
    );
  });
});

describe("decideName", () => {
  const policy = policyOf("web", "*.example.com api.example.org:443 *.api.example.com:8443/tcp");
  const allowed = ["example.com", "a.example.com", "a.b.c.example.com", "api.example.org"];
  const denied = [
    "example.org",
    "x.api.example.org",
    "notexample.com",
    "com",
    "",
    "evil\\.example.com",
    "a\\.example.com.net",
  ];
  for (const name of allowed) it(`allows ${name}`, () => assert.ok(decideName(policy, name, 0).allowed));
  for (const name of denied)
    it(`denies ${name || "the root"}`, () => assert.ok(!decideName(policy, name, 0).allowed));
  it("gathers the services of every entry that matches", () => {
    const decision = decideName(policy, "x.api.example.com", 0);
    assert.ok(decision.allowed);
    assert.equal(decision.services.length, 2);
    assert.equal(decision.exact, false);
  });
});

describe("decidePacket", () => {
  const policy = policyOf("web", "203.0.113.0/24:443/tcp 198.51.100.7");
  const cases: readonly [address: string, protocol: number, port: number | undefined, expected: boolean][] = [
    ["203.0.113.9", 6, 443, true],
    ["203.0.113.9", 17, 443, false],
    ["203.0.113.9", 6, 444, false],
    ["198.51.100.7", 1, undefined, true],
    ["198.51.100.8", 6, 443, false],
  ];
  for (const [text, protocol, port, expected] of cases) {
    it(`${text} protocol ${protocol} port ${port} is ${expected}`, () => {
      const address = parseAddress(text);
      assert.ok(address);
      assert.equal(
        decidePacket(policy, { destination: address, ipProtocol: protocol, port }, [], 0).allowed,
        expected,
      );
    });
  }
});
