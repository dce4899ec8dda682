// What a container's own /etc/hosts has for a name.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addressesInHosts } from "../../../../../src/core/path/files/hosts.ts";

const text = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "# 203.0.113.1 commented.example.com",
  "203.0.113.2 Api.Example.com api # api.example.org",
  "  2001:db8::2   api.example.com\r",
  "203.0.113.2 api.example.com",
  "fe80::1%eth0 scoped.example.com",
  "no-address odd.example.com",
  "203.0.113.3",
  "198.19.1.2\t0123456789ab",
].join("\n");

describe("/etc/hosts", () => {
  const cases: readonly [name: string, expected: readonly string[]][] = [
    ["localhost", ["127.0.0.1", "::1"]],
    ["api.example.com", ["203.0.113.2", "2001:db8::2"]],
    ["api", ["203.0.113.2"]],
    ["0123456789ab", ["198.19.1.2"]],
    ["api.example.org", []],
    ["commented.example.com", []],
    ["scoped.example.com", []],
    ["odd.example.com", []],
    ["other.example.com", []],
    ["", []],
  ];
  for (const [name, expected] of cases)
    it(`has for ${name || "an empty name"}: ${expected.join(" ") || "nothing"}`, () =>
      assert.deepEqual(addressesInHosts(text, name), expected));
});
