import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseEntry, renderEntry } from "../../../../src/core/policy/entry.ts";

const label63 = "a".repeat(63);
const name253 = `${"a".repeat(59)}.${`${"b".repeat(63)}.`.repeat(3)}c`;

const accepted: readonly [text: string, canonical: string][] = [
  ["example.com", "example.com"],
  ["EXAMPLE.com", "example.com"],
  ["Example.COM.", "example.com"],
  ["a.b.c.d.e.f.example.com", "a.b.c.d.e.f.example.com"],
  ["_dmarc.example.com", "_dmarc.example.com"],
  ["_http._tcp.deb.example.org", "_http._tcp.deb.example.org"],
  ["foo_.example.com", "foo_.example.com"],
  ["a_b.example.com", "a_b.example.com"],
  ["_._.example.com", "_._.example.com"],
  ["a--b.example.com", "a--b.example.com"],
  ["1.example.com", "1.example.com"],
  ["1.2.3.4.example.com", "1.2.3.4.example.com"],
  ["0x7f.example", "0x7f.example"],
  ["example.1a", "example.1a"],
  ["a.b", "a.b"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["XN--BCHER-KVA.example", "xn--bcher-kva.example"],
  [`${label63}.example.com`, `${label63}.example.com`],
  [name253, name253],
  [`${name253}.`, name253],
  ["a.".repeat(127), `${"a.".repeat(126)}a`],

  ["bücher.example", "xn--bcher-kva.example"],
  ["BÜCHER.example", "xn--bcher-kva.example"],
  ["bücher.example.", "xn--bcher-kva.example"],
  ["bu\u0308cher.example", "xn--bcher-kva.example"],
  ["_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example"],
  ["straße.example", "xn--strae-oqa.example"],
  ["παράδειγμα.example", "xn--hxajbheg2az3al.example"],
  ["пример.example", "xn--e1afmkfd.example"],
  ["例え.テスト", "xn--r8jz45g.xn--zckzah"],
  ["שלום.example", "xn--9dbne9b.example"],
  ["-ü.example", "xn----eha.example"],
  ["☃.example", "xn--n3h.example"],
  ["example。com", "example.com"],
  ["example．com", "example.com"],
  ["example｡com", "example.com"],
  ["ｅｘａｍｐｌｅ.com", "example.com"],
  ["exa\u00admple.com", "example.com"],
  ["exa\u200bmple.com", "example.com"],
  ["bücher.example:443", "xn--bcher-kva.example:443"],
  ["*.bücher.example/udp", "*.xn--bcher-kva.example/udp"],

  ["*.example.com", "*.example.com"],
  ["*.EXAMPLE.com.", "*.example.com"],
  ["*.com", "*.com"],
  ["*.internal", "*.internal"],
  ["*.co.uk", "*.co.uk"],
  ["*.a.b.c.example.com:443", "*.a.b.c.example.com:443"],
  ["*._tcp.example.com", "*._tcp.example.com"],

  ["build-*.ci.example.com", "build-*.ci.example.com"],
  ["BUILD-*.CI.example.com.", "build-*.ci.example.com"],
  ["*-prod.example.com", "*-prod.example.com"],
  ["*a.example.com", "*a.example.com"],
  ["a*b*c.example.com", "a*b*c.example.com"],
  ["api.*.example.com", "api.*.example.com"],
  ["api.*.*.example.com", "api.*.*.example.com"],
  ["a-*.*.b-*.example.com", "a-*.*.b-*.example.com"],
  ["_*.example.com", "_*.example.com"],
  ["a*.b.c:8000-8010/tcp", "a*.b.c:8000-8010/tcp"],
  ["a*.xn--bcher-kva.example", "a*.xn--bcher-kva.example"],

  ["api.example.com:443", "api.example.com:443"],
  ["api.example.com:443/tcp", "api.example.com:443/tcp"],
  ["api.example.com:443/TCP", "api.example.com:443/tcp"],
  ["api.example.com/UDP", "api.example.com/udp"],
  ["api.example.com:1", "api.example.com:1"],
  ["api.example.com:65535", "api.example.com:65535"],
  ["api.example.com:1-65535", "api.example.com:1-65535"],
  ["api.example.com:00443", "api.example.com:443"],
  ["api.example.com:443-443", "api.example.com:443"],
  ["db.example.com:8000-8010", "db.example.com:8000-8010"],
  ["db.example.com.:53/udp", "db.example.com:53/udp"],

  ["203.0.113.7", "203.0.113.7/32"],
  ["203.0.113.7/32", "203.0.113.7/32"],
  ["203.0.113.7/24", "203.0.113.0/24"],
  ["203.0.113.255/25", "203.0.113.128/25"],
  ["203.0.113.0/24:443", "203.0.113.0/24:443"],
  ["203.0.113.0/24:53/udp", "203.0.113.0/24:53/udp"],
  ["203.0.113.0/24/tcp", "203.0.113.0/24/tcp"],
  ["203.0.113.7:22", "203.0.113.7/32:22"],
  ["0.0.0.0/0:443", "0.0.0.0/0:443"],
  ["2001:DB8::1", "2001:db8::1/128"],
  ["2001:db8:0:0:0:0:0:1", "2001:db8::1/128"],
  ["2001:0db8::0001", "2001:db8::1/128"],
  ["2001:db8::ffff/32", "2001:db8::/32"],
  ["2001:db8::/32/udp", "2001:db8::/32/udp"],
  ["::/0", "::/0"],
  ["::1", "::1/128"],
  ["64:ff9b::192.0.2.1", "64:ff9b::c000:201/128"],
  ["2001:db8::1:443", "2001:db8::1:443/128"],
  ["[2001:db8::1]", "2001:db8::1/128"],
  ["[2001:db8::1]/tcp", "2001:db8::1/128/tcp"],
  ["[2001:db8::1]:443", "[2001:db8::1/128]:443"],
  ["[2001:db8::/32]:443/tcp", "[2001:db8::/32]:443/tcp"],
  ["[2001:db8::/32]:1-1024", "[2001:db8::/32]:1-1024"],

  ["host:5432", "host:5432"],
  ["host:5432/tcp", "host:5432/tcp"],
  ["HOST:8000-8010", "host:8000-8010"],
  ["host:1-1024/udp", "host:1-1024/udp"],
  ["!host:22", "!host:22"],

  ["@debian", "@debian"],
  ["@Debian", "@debian"],
  ["@docker-hub:443", "@docker-hub:443"],
  ["@a.b_c-d:1-9/udp", "@a.b_c-d:1-9/udp"],
  ["@x/tcp", "@x/tcp"],
  [`@${"p".repeat(64)}`, `@${"p".repeat(64)}`],

  ["!example.com", "!example.com"],
  ["!*.Example.com:443", "!*.example.com:443"],
  ["!*.com", "!*.com"],
  ["!a*.b.example.com", "!a*.b.example.com"],
  ["!203.0.113.7", "!203.0.113.7/32"],
  ["![2001:db8::1]:443/udp", "![2001:db8::1/128]:443/udp"],
  ["!@debian:80", "!@debian:80"],
  ["!bücher.example", "!xn--bcher-kva.example"],
];

const full = /write a full domain/;
const name = /is not a domain name; write letters, digits, - and _ between dots/;
const pattern = /is not a domain name pattern; write it as in build-\*\.ci\.example\.com/;
const numbers = /neither an address nor a domain name; write it as 192\.0\.2\.10/;
const port = /the port must be 1 to 65535, or FROM-TO, not "/;
const protocol = /the protocol must be tcp or udp, not "/;
const prefix = /not an address prefix; write ADDRESS\/LENGTH/;
const colons = /more than one `:` and is not an IPv6 address; write HOST:PORT or \[ADDRESS\]:PORT/;
const brackets = /only IPv6 addresses may have brackets; write HOST:PORT/;
const written = /the last two labels must be written out, as in/;
const depth = /a leading `\*\.` covers every depth/;
const row = /more than one `\*` in a row; write only one/;
const preset = /is not a preset name; write it as in @debian/;
const url = /it is a URL; write only the host/;

const refused: readonly [text: string, problem: RegExp][] = [
  ["*", /`\*` alone would allow everything; to leave the network open, remove the label/],
  ["!*", /`!\*` would take everything away; to do so, leave the label empty/],
  ["!", /nothing follows the `!`; write what to take away/],
  ["!!a.example.com", /more than one `!`; write only one/],
  ["!!!", /more than one `!`; write only one/],
  ["::ffff:192.0.2.1", /IPv4 address in IPv6 form; write the IPv4 address/],
  ["![::ffff:c000:201]:443", /IPv4 address in IPv6 form; write the IPv4 address/],

  ["localhost", full],
  ["localhost.", full],
  ["com", full],
  ["bücher", full],
  ["_", full],
  ["!redis", full],
  ["redis:6379", full],
  ["hosts:22", full],

  ["a..b.com", name],
  [".example.com", name],
  ["..", name],
  [".", name],
  ["*.", name],
  ["*..", name],
  ["*..com", name],
  ["example.com..", name],
  ["-a.example.com", name],
  ["a-.example.com", name],
  ["a.-", name],
  ["exa\\mple.com", name],
  ["example.com;drop", name],
  ["user@example.com", name],
  ["example.com?x", name],
  ["example.com#x", name],
  ["exa%6dple.com", name],
  ["exa mple.com", name],
  ["'example.com'", name],
  ["example.com\0", name],
  ["exa\0mple.com", name],
  ["\u0001example.com", name],
  ["example.com\u007f", name],
  [`${"a".repeat(64)}.example.com`, name],
  [`${"a".repeat(1_000_000)}.example.com`, name],
  [`a${name253}`, name],
  ["a.".repeat(128), name],
  [":443", name],
  ["/tcp", name],

  ["bücher.example?x", name],
  ["bücher.example#x", name],
  ["bücher.example\\x", name],
  ["user@bücher.example", name],
  ["bü%63her.example", name],
  ["bücher.exam\0ple", name],
  ["bücher..example", name],
  ["bücher.example＃x", name],
  ["bücher.example／x", name],
  ["user＠example.com", name],
  ["ex\u202eample.com", name],
  ["\u200fexample.com", name],
  ["1א.example", name],
  ["אa.example", name],
  ["a\u200d.example", name],
  ["\u0301a.example", name],
  ["\ud800.example.com", name],
  ["\ufffd.example.com", name],
  ["\u{e0001}\u{1f4a9}\ud83d.example", name],
  ["\u0080.example.com", name],
  [`${"ü".repeat(64)}.example`, name],
  [`${"漢字仮名".repeat(50_000)}.example`, name],
  ["！example.com", name],
  ["ü.0x7f", name],

  ["1.2.3", numbers],
  ["1.2.3.4.5", numbers],
  ["256.1.1.1", numbers],
  ["01.2.3.4", numbers],
  ["0x7f.1", numbers],
  ["127.1", numbers],
  ["2130706433", numbers],
  ["example.123", numbers],
  ["*.1", numbers],
  ["*.2.3.4", numbers],
  ["１９２.0.2.1", numbers],
  ["①.0.0.1", numbers],

  ["*.*.example.com", depth],
  ["*.a*.b.example.com", depth],
  ["*.a.*.example.com", depth],
  ["**.example.com", row],
  ["a**b.x.example.com", row],
  ["***", written],
  ["*.*", written],
  ["a.*", written],
  ["*a", written],
  ["*com", written],
  ["a.*.com", written],
  ["a.b*.com", written],
  ["example.*", written],
  ["*．example.com", written],
  ["-*.x.example.com", pattern],
  ["*-.x.example.com", pattern],
  ["a*..example.com", pattern],
  [".a*.example.com", pattern],
  ["a*.b.example.com..", pattern],
  ["a*.example..", pattern],
  ["build-*.bücher.example", pattern],
  ["bü*.example.com", pattern],
  ["a*b?.example.com", pattern],
  ["a*.example.12", pattern],
  [`${"a".repeat(63)}*.example.com`, pattern],
  [`*a.${name253}`, pattern],

  ["example.com:", port],
  ["example.com:0", port],
  ["example.com:65536", port],
  ["example.com:99999", port],
  ["example.com:100000", port],
  ["example.com:9-8", port],
  ["example.com:0-5", port],
  ["example.com:1-", port],
  ["example.com:-1", port],
  ["example.com:1-2-3", port],
  ["example.com:+443", port],
  ["example.com:4.43", port],
  ["example.com:0x1bb", port],
  ["example.com:１", port],
  ["example.com:https", port],
  ["example.com:443/8", port],
  ["example.com:*", port],
  ["203.0.113.7:", port],
  ["[2001:db8::1]:", port],
  ["[2001:db8::1]:x", port],
  ["host:0", port],
  ["@debian:0", port],

  ["example.com/icmp", protocol],
  ["example.com/sctp", protocol],
  ["example.com/path", protocol],
  ["host:22/ssh", protocol],
  ["203.0.113.0/any", protocol],
  ["@debian/http", protocol],

  ["1.2.3.4/33", prefix],
  ["1.2.3.4/-1", prefix],
  ["1.2.3.4/024", prefix],
  ["1.2.3.4/", prefix],
  ["1.2.3.4/24/", prefix],
  ["1.2.3.4/255.255.255.0", prefix],
  ["1.2.3/24", prefix],
  ["example.com/24", prefix],
  ["example.com/", prefix],
  ["example.com/tcp/udp", prefix],
  ["//a.example.com", prefix],
  ["host/8", prefix],
  ["bücher.example/x/1", prefix],

  ["example.com:443:80", colons],
  ["::/0:443", colons],
  ["2001:db8::1:443:zz", colons],
  ["2001:db8::/129", colons],
  ["2001:db8:::1", colons],
  ["1:2:3", colons],
  ["fe80::1%eth0", colons],
  ["[2001:db8::1]443", colons],
  ["[2001:db8::]/32", /belongs inside the brackets; write "\[2001:db8::\/32\]"/],
  ["[2001:db8::]/32:443/tcp", /belongs inside the brackets; write "\[2001:db8::\/32\]"/],
  ["[[2001:db8::1]]:443", colons],
  ["[2001:db8::1:443", colons],
  ["@debian:443:80", colons],
  ["a:".repeat(100_000), colons],

  ["[203.0.113.1]:443", brackets],
  ["[example.com]:443", brackets],
  ["[]", brackets],
  ["[fe80::1%eth0]:443", brackets],
  ["[2001:db8::1]:443:1", port],

  ["host", /`host` needs a port, as in host:5432/],
  ["!host", /`host` needs a port/],
  ["host/tcp", /`host` needs a port/],
  ["host:1-1025", /`host` takes at most 1024 ports; name only the ports you need/],
  ["host:1-65535/tcp", /at most 1024 ports/],

  ["@", preset],
  ["@-x", preset],
  ["@x-", preset],
  ["@a*b", preset],
  ["@ü", preset],
  ["@@debian", preset],
  ["@!debian", preset],
  [`@${"p".repeat(65)}`, preset],

  ["http://www.example.com", url],
  ["https://a.example.com/", url],
  ["HTTPS://a.example.com:443", url],
  ["tcp://a.example.com:443", url],
  ["!https://a.example.com", url],
];

describe("parseEntry", () => {
  for (const [text, canonical] of accepted) {
    it(`accepts ${titleOf(text)}`, () => {
      const result = parseEntry(text);
      assert.ok("entry" in result, JSON.stringify(result));
      assert.equal(renderEntry(result.entry), canonical);
      assert.deepEqual(parseEntry(canonical), result);
    });
  }
  for (const [text, problem] of refused) {
    it(`refuses ${titleOf(text)}`, () => {
      const result = parseEntry(text);
      assert.ok("problem" in result, JSON.stringify(result));
      assert.match(result.problem, problem);
      assert.ok(result.problem.length < 700, "it repeats more of the text than people can read");
    });
  }
});

/** Escaped, so that what is invisible can be told apart. */
function titleOf(text: string): string {
  const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16)}`;
  return text.slice(0, 40).replaceAll(/[^ -~]/g, escaped);
}
