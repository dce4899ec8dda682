import assert from "node:assert/strict";
import { test } from "node:test";
import { parseUpstream, renderUpstream } from "../../../../src/core/dns/upstream-text.ts";

const accepted: readonly (readonly [text: string, rendered: string])[] = [
  ["192.0.2.1", "192.0.2.1 port 53"],
  ["192.0.2.1:5300", "192.0.2.1 port 5300"],
  ["2001:DB8::1", "2001:db8::1 port 53"],
  ["[2001:db8::1]", "2001:db8::1 port 53"],
  ["[2001:db8::1]:5300", "2001:db8::1 port 5300"],
  ["tls://192.0.2.1", "tls://192.0.2.1:853"],
  ["tls://192.0.2.1#dns.example.org", "tls://192.0.2.1:853#dns.example.org"],
  ["tls://[2001:db8::1]:8853#dns.example.org", "tls://[2001:db8::1]:8853#dns.example.org"],
  ["https://192.0.2.1", "https://192.0.2.1:443/dns-query"],
  ["https://192.0.2.1/#dns.example.org", "https://192.0.2.1:443/dns-query#dns.example.org"],
  ["https://192.0.2.1/dns-query#dns.example.org", "https://192.0.2.1:443/dns-query#dns.example.org"],
  ["https://192.0.2.1:8443/a/b?c=d#dns.example.org", "https://192.0.2.1:8443/a/b?c=d#dns.example.org"],
  ["https://[2001:db8::1]/q", "https://[2001:db8::1]:443/q"],
];
for (const [text, rendered] of accepted) {
  test(`upstream: ${text}`, () => {
    const parsed = parseUpstream(text);
    assert.ok(parsed !== undefined);
    assert.equal(renderUpstream(parsed), rendered);
  });
}

const refused = [
  "",
  "dns.example.org",
  "tls://dns.example.org",
  "https://dns.example.org/dns-query",
  "192.0.2.1#dns.example.org",
  "192.0.2.1/dns-query",
  "tls://192.0.2.1/dns-query",
  "tls://192.0.2.1#",
  "tls://192.0.2.1#a b",
  "tls://192.0.2.1:0",
  "tls://192.0.2.1:65536",
  "tls:192.0.2.1",
  "udp://192.0.2.1",
  "HTTPS://192.0.2.1",
  "https://",
  "https:///dns-query",
  "fe80::1%eth0",
  "192.0.2.1:",
];
for (const text of refused) {
  test(`no upstream: ${JSON.stringify(text)}`, () => assert.equal(parseUpstream(text), undefined));
}
