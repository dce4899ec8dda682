// A lookup as the kernel keeps it: what was written is read back, and nothing else is.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { fitsComment, parseLookup, renderLookup } from "../../../../src/control/history/lookup-notes.ts";
import type { LookupTally } from "../../../../src/core/journal/lookups.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";

const tally: LookupTally = {
  networkId: "0123456789abcdef",
  asker: "198.18.1.2",
  container: { id: "fedcba9876543210", name: "web" },
  domain: "www.example.com",
  type: undefined,
  allowed: true,
  trouble: undefined,
  count: 3,
  lastSeenMs: 1_764_421_234_567,
  granted: ["203.0.113.1" as IpAddress],
  refused: [],
  mayExist: true,
};

const addresses = fc.uniqueArray(
  fc.oneof(fc.ipV4(), fc.constantFrom("2001:db8::1", "2001:db8:ffff:ffff:ffff:ffff:ffff:1")),
  { maxLength: 16 },
) as fc.Arbitrary<IpAddress[]>;
const tallies: fc.Arbitrary<LookupTally> = fc.record(
  {
    networkId: fc.constantFrom("0123456789ab", "g1"),
    asker: fc.constantFrom("198.18.1.2", "2001:db8:1::2"),
    container: fc.option(
      fc.constantFrom({ id: "fedcba987654", name: "web_1.x" }, { id: "c1", name: "web" }),
      {
        nil: undefined,
      },
    ),
    domain: fc.constantFrom("www.example.com", "_x.a-b.example", "localhost", `${"a".repeat(60)}.example`),
    type: fc.constantFrom(undefined, "TXT", "TYPE65280"),
    allowed: fc.boolean(),
    trouble: fc.constantFrom(undefined, "private", "failed", "type", "internal", "no-query"),
    count: fc.integer({ min: 1, max: 1e9 }),
    lastSeenMs: fc.integer({ min: 0, max: 4e9 }).map((seconds) => seconds * 1000),
    granted: addresses,
    refused: addresses,
    mayExist: fc.boolean(),
  },
  { noNullPrototype: true },
);

describe("a kept lookup", () => {
  it("is written so that people can read it", () => {
    assert.equal(
      renderLookup(tally),
      "web fedcba987654 0123456789ab 198.18.1.2 1764421234 3 allowed - www.example.com +203.0.113.1",
    );
    const denied = {
      ...tally,
      container: undefined,
      type: "TXT",
      allowed: false,
      mayExist: false,
      granted: [],
    };
    assert.equal(
      renderLookup(denied),
      "- - 0123456789ab 198.18.1.2 1764421234 3 denied,none TXT www.example.com",
    );
  });

  it("is read back, but for addresses that do not fit", () => {
    fc.assert(
      fc.property(tallies, (given) => {
        assert.ok(fitsComment(given));
        const comment = renderLookup(given);
        assert.ok(comment.length <= 255);
        const { granted, refused, ...read } = parseLookup(comment) ?? assert.fail(comment);
        const { granted: told, refused: left, ...rest } = given;
        assert.deepEqual(read, rest);
        assert.ok(granted.every((each) => told.includes(each)));
        assert.ok(refused.every((each) => left.includes(each)));
        assert.equal(refused.length > 0, left.length > 0);
      }),
    );
  });

  const others: readonly [what: string, change: Partial<LookupTally>][] = [
    ["the others of a network", { asker: "(others)" }],
    ["the others of a container", { domain: "(others)" }],
    ["a name that no comment can hold", { domain: 'a"b.example.com' }],
    ["a name that is too long", { domain: `${"long-label.".repeat(22)}example.com` }],
  ];
  for (const [what, change] of others)
    it(`is not made of ${what}`, () => assert.equal(fitsComment({ ...tally, ...change }), false));

  it("is not read from anything else", () => {
    const good = renderLookup(tally);
    const strange = [
      "",
      "www.example.com",
      good.replace("198.18.1.2", "198.18.1"),
      good.replace("allowed", "maybe"),
    ];
    for (const text of [...strange, good.replace("allowed", "allowed,odd"), `${good} x`])
      assert.equal(parseLookup(text), undefined, text);
    fc.assert(fc.property(fc.string(), (text) => parseLookup(text) === undefined));
  });
});
