import assert from "node:assert/strict";
import { test } from "node:test";
import { isNeverOutside, isPrivatePrefix, judgeAddress } from "../../../../src/core/dns/address-filter.ts";
import { addressBytes, type Prefix, parseAddress, parsePrefix } from "../../../../src/core/model/address.ts";
import { filterOf } from "../../../support/policies.ts";

const address = (text: string): Uint8Array => addressBytes(parseAddress(text) ?? assert.fail(text));
const prefixes = (...texts: readonly string[]): readonly Prefix[] =>
  texts.map((text) => parsePrefix(text) ?? assert.fail(text));

const refused = [
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.0",
  "10.255.255.255",
  "100.64.0.0",
  "100.100.100.200", // metadata of Alibaba's cloud
  "100.127.255.255",
  "127.0.0.1",
  "127.255.255.254",
  "168.63.129.16",
  "169.254.169.254",
  "172.16.0.0",
  "172.31.255.255",
  "192.0.0.8",
  "192.0.0.192", // metadata of Oracle's older cloud
  "192.168.0.1",
  "192.168.255.255",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::7f00:1",
  "::cb00:7101",
  "::ffff:127.0.0.1",
  "::ffff:203.0.113.1",
  "::ffff:0:10.0.0.1",
  "64:ff9b::10.0.0.1",
  "64:ff9b::168.63.129.16",
  "64:ff9b::169.254.169.254",
  "64:ff9b:1::1",
  "100::1",
  "5f00::1",
  "2002:0a00:0001::1",
  "2002:7f00:1::",
  "2002:c0a8:1::1",
  "2001:0:a00:1::",
  "2001:0:cb00:7101:0:0:f5ff:fffe",
  "fc00::1",
  "fd00:ec2::254", // metadata of Amazon's cloud
  "fdff::1",
  "fe80::1",
  "febf::1",
  "fec0::1",
  "feff::1",
  "ff02::1",
];

const open = [
  "1.1.1.1",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.1",
  "168.63.129.15",
  "168.63.129.17",
  "169.253.255.255",
  "169.255.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.1",
  "192.167.255.255",
  "192.169.0.0",
  "223.255.255.255",
  // Documentation and benchmark ranges are public to us.
  "192.0.2.1",
  "198.51.100.1",
  "203.0.113.1",
  "198.18.0.1",
  "198.19.255.255",
  "2001:db8::1",
  "2606:4700::1111",
  "64:ff9b::203.0.113.1",
  "2002:cb00:7101::1",
  "2001:0:cb00:7101:0:0:3400:8efe",
  "2001:1::1",
];

const isRefused = (text: string): boolean =>
  judgeAddress(filterOf(), parseAddress(text) ?? assert.fail(text), address(text)).verdict === "refused";

test("addresses without a meaning outside are private", () => {
  assert.deepEqual(
    refused.filter((text) => !isRefused(text)),
    [],
  );
});

test("metadata addresses of clouds are not suggested either", () => {
  for (const text of ["169.254.169.254", "168.63.129.16"])
    assert.equal(isNeverOutside(address(text)), true, text);
  assert.equal(isNeverOutside(address("168.63.129.17")), false);
});

test("public addresses are not", () => {
  assert.deepEqual(open.filter(isRefused), []);
});

const filter = filterOf(
  prefixes("203.0.113.10", "2001:db8:1::/64"),
  prefixes("10.1.0.0/16", "fd00:1::/32", "203.0.113.10"),
);
const cases: readonly { readonly text: string; readonly refuses: boolean }[] = [
  { text: "10.1.2.3", refuses: false },
  { text: "10.2.2.3", refuses: true },
  { text: "fd00:1::5", refuses: false },
  { text: "fd00:2::5", refuses: true },
  { text: "203.0.113.10", refuses: false },
  { text: "2001:db8:1::5", refuses: true },
  { text: "2001:db8:2::5", refuses: false },
  { text: "64:ff9b::203.0.113.10", refuses: true },
  { text: "64:ff9b::10.1.2.3", refuses: true },
];
for (const { text, refuses } of cases) {
  test(`with own addresses and exceptions ${text} is ${refuses ? "refused" : "open"}`, () => {
    const { verdict } = judgeAddress(filter, parseAddress(text) ?? assert.fail(text), address(text));
    assert.equal(verdict, refuses ? "refused" : "opened");
  });
}

test("a prefix is private when all of it is", () => {
  const all = prefixes("10.9.0.0/16", "10.0.0.0/8", "fd5d:1::/64", "::1/128");
  const notAll = prefixes("10.0.0.0/7", "203.0.113.0/24", "::/0", "0.0.0.0/0", "2001:db8::/32");
  assert.deepEqual(
    all.map(isPrivatePrefix),
    all.map(() => true),
  );
  assert.deepEqual(
    notAll.map(isPrivatePrefix),
    notAll.map(() => false),
  );
});

test("an address of the container itself opens nothing", () => {
  const everything = filterOf([], prefixes("0.0.0.0/0", "::/0"));
  for (const [text, verdict] of [
    ["127.0.0.2", "told"],
    ["0.0.0.0", "told"],
    ["::1", "told"],
    ["10.1.2.3", "opened"],
    ["169.254.169.254", "opened"],
    ["203.0.113.1", "opened"],
  ] as const)
    assert.equal(
      judgeAddress(everything, parseAddress(text) ?? assert.fail(text), address(text)).verdict,
      verdict,
      text,
    );
});
