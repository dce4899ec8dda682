import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  addressFromBytes,
  hostPrefix,
  type IpAddress,
  networkAddress,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixContains,
  renderPrefix,
} from "../../../../src/core/model/address.ts";
import { PrefixTable } from "../../../../src/core/model/prefix-table.ts";

function tableOf(prefixes: readonly Prefix[]): PrefixTable<string> {
  const table = new PrefixTable<string>();
  for (const prefix of prefixes) table.add(prefix, renderPrefix(prefix));
  return table;
}

const cases: readonly [prefixes: string, address: string, found: string][] = [
  ["203.0.113.0/24", "203.0.113.0", "203.0.113.0/24"],
  ["203.0.113.0/24", "203.0.113.255", "203.0.113.0/24"],
  ["203.0.113.0/24", "203.0.114.0", ""],
  ["203.0.113.7/32", "203.0.113.7", "203.0.113.7/32"],
  ["203.0.113.7/32", "203.0.113.8", ""],
  ["203.0.113.0/24 203.0.113.0/25 0.0.0.0/0", "203.0.113.7", "0.0.0.0/0 203.0.113.0/24 203.0.113.0/25"],
  ["203.0.113.0/24 203.0.113.0/25 0.0.0.0/0", "203.0.113.200", "0.0.0.0/0 203.0.113.0/24"],
  ["203.0.113.0/24 203.0.113.0/24", "203.0.113.7", "203.0.113.0/24 203.0.113.0/24"],
  ["0.0.0.0/0", "2001:db8::1", ""],
  ["::/0", "203.0.113.7", ""],
  ["::/0 2001:db8::/32 2001:db8::/128", "2001:db8::1", "2001:db8::/32 ::/0"],
  ["::/96", "::ffff:203.0.113.7", ""],
  ["::ffff:203.0.113.0/120", "::ffff:203.0.113.7", "::ffff:cb00:7100/120"],
];

describe("PrefixTable", () => {
  for (const [prefixes, address, found] of cases) {
    it(`${prefixes}: ${address}`, () => {
      const table = tableOf(prefixes.split(" ").flatMap((text) => parsePrefix(text) ?? []));
      const matched = table.match(parseAddress(address) ?? assert.fail());
      assert.equal(matched.toSorted().join(" "), found);
    });
  }

  /** Bytes of which most are alike, so that prefixes and addresses meet. */
  const address: fc.Arbitrary<IpAddress> = fc
    .constantFrom(4, 16)
    .chain((length) =>
      fc.array(fc.constantFrom(0, 1, 127, 128, 255), { minLength: length, maxLength: length }),
    )
    .map((bytes) => addressFromBytes(Uint8Array.from(bytes)));
  const prefix: fc.Arbitrary<Prefix> = fc.tuple(address, fc.nat(128)).map(([text, bits]) => {
    const length = Math.min(bits, hostPrefix(text).length);
    return { address: networkAddress(text, length), length };
  });

  it("finds what prefixContains() finds", () => {
    fc.assert(
      fc.property(
        fc.array(prefix, { maxLength: 60 }),
        fc.array(address, { maxLength: 10 }),
        (prefixes, wanted) => {
          const table = tableOf(prefixes);
          for (const text of [...wanted, ...prefixes.map((found) => found.address)]) {
            const holding = prefixes.filter((candidate) => prefixContains(candidate, text));
            assert.deepEqual(table.match(text).toSorted(), holding.map(renderPrefix).toSorted());
            const most = Math.max(...holding.map(({ length }) => length));
            const longest = holding.filter(({ length }) => length === most).map(renderPrefix);
            assert.deepEqual(table.longest(text).toSorted(), longest.toSorted());
          }
        },
      ),
      { numRuns: 300 },
    );
  });
  it("a prefix is parsed from its own text", () => {
    fc.assert(fc.property(prefix, (found) => assert.deepEqual(parsePrefix(renderPrefix(found)), found)));
  });
});
