// An entry is called unneeded only where it can go without any change; checked against the code that decides.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { splitList } from "../../../../src/core/check/opens.ts";
import { describeUnneeded } from "../../../../src/core/check/tell-unneeded.ts";
import { findUnneeded } from "../../../../src/core/check/unneeded.ts";
import { parseAddress } from "../../../../src/core/model/address.ts";
import { subtractServices } from "../../../../src/core/model/service-set.ts";
import { addressRights } from "../../../../src/core/policy/decide/address-rights.ts";
import { decidePacket } from "../../../../src/core/policy/decide/packet.ts";
import { serviceOf } from "../../../../src/core/policy/decide/policy.ts";
import { decideName } from "../../../../src/core/policy/decide.ts";
import { entriesOf, policyOf, presets } from "../../../support/policies.ts";

const sentences = (own: string, ...above: string[]): string[] =>
  findUnneeded(splitList(own, presets), above.map(entriesOf)).map(describeUnneeded);

const cases: readonly [own: string, above: readonly string[], sentences: readonly string[]][] = [
  ["a.example.com b.example.com", [], []],
  ["a.example.com A.example.com.", [], ['entry "A.example.com." is not needed: a.example.com covers it']],
  [
    "*.example.com a.example.com:443",
    [],
    [
      'entry "a.example.com:443" is not needed: *.example.com covers it, but for TXT records of that very name',
    ],
  ],
  ["*.b.example.com *.example.com", [], ['entry "*.b.example.com" is not needed: *.example.com covers it']],
  ["*.example.com:443 a.example.com", [], []],
  ["a.example.com:80 a.example.com:443 a.example.com:80-443/tcp", [], []],
  [
    "a.example.com:80-90 a.example.com:91-99 a.example.com:85-95/tcp",
    [],
    ['entry "a.example.com:85-95/tcp" is not needed: a.example.com:80-90, a.example.com:91-99 cover it'],
  ],
  // Lookups come to Dockerwall, but those to a server that is named with port 53 by itself.
  ["192.0.2.0/24 192.0.2.7:53/udp", [], []],
  ["192.0.2.7:50-60 192.0.2.7:53/udp", [], []],
  [
    "192.0.2.7:53 192.0.2.7:53/udp",
    [],
    ['entry "192.0.2.7:53/udp" is not needed: 192.0.2.7/32:53 covers it'],
  ],
  ["*.example.com ns.example.com:53", [], []],
  [
    "*.example.com:53 ns.example.com:53/udp",
    [],
    [
      'entry "ns.example.com:53/udp" is not needed: *.example.com:53 covers it, but for TXT records of that very name',
    ],
  ],
  [
    "!192.0.2.0/24 192.0.2.7:53/udp",
    [],
    ['entry "192.0.2.7:53/udp" opens nothing: !192.0.2.0/24 takes it away'],
  ],
  [
    "203.0.113.0/24:53/udp",
    [],
    [
      'entry "203.0.113.0/24:53/udp" opens nothing by itself: packets to port 53 come to Dockerwall, unless an entry names one address, or a name, with that port',
    ],
  ],
  [
    "host:53",
    [],
    [
      'entry "host:53" opens nothing by itself: packets to port 53 come to Dockerwall, unless an entry names one address, or a name, with that port',
    ],
  ],
  ["host:53 198.19.1.1:53", [], []],
  ["host:53", ["198.19.1.1:53"], []],
  ["host:50-60 203.0.113.0/24:50-60 !203.0.113.7:53", [], []],
  // A name that leads into such a range has what both have in common.
  ["10.20.0.0/24:53 ns.corp.example", [], []],
  ["192.0.2.7 192.0.2.0/24:443", [], []],
  // A range may have private addresses in it, which a name alone does not open.
  ["a.example.com a.example.com@10.0.0.0/8", [], []],
  ["a.example.com@10.0.0.0/8 a.example.com", [], []],
  ["a.example.com@10.0.0.0/8 a.example.com@11.1.0.0/16", [], []],
  [
    "*.example.com@10.0.0.0/8 a.example.com@10.1.0.0/16:443",
    [],
    [
      'entry "a.example.com@10.1.0.0/16:443" is not needed: *.example.com@10.0.0.0/8 covers it, but for TXT records of that very name',
    ],
  ],
  [
    "!*.example.com a.example.com@10.0.0.0/8",
    [],
    ['entry "a.example.com@10.0.0.0/8" opens nothing: !*.example.com takes it away'],
  ],
  ["host:5000-6000 host:5432/tcp", [], ['entry "host:5432/tcp" is not needed: host:5000-6000 covers it']],
  [
    "build-*.ci.example.com *.ci.example.com",
    [],
    ['entry "build-*.ci.example.com" is not needed: *.ci.example.com covers it'],
  ],
  ["build-*.ci.example.com *.build-x.ci.example.com", [], []],
  [
    "b-*.example.com B-*.example.com",
    [],
    ['entry "B-*.example.com" is not needed: b-*.example.com covers it'],
  ],
  ["!*.example.com a.example.com", [], ['entry "a.example.com" opens nothing: !*.example.com takes it away']],
  ["!a.example.com:25 a.example.com", [], []],
  [
    "!*.example.com !a.example.com b.example.org",
    [],
    ['entry "!a.example.com" is not needed: !*.example.com covers it'],
  ],
  [
    "a.example.com",
    ["*.example.com"],
    ['entry "a.example.com" is not needed: *.example.com covers it, but for TXT records of that very name'],
  ],
  ["a.example.com", ["*.example.com", "b.example.com"], []],
];

describe("findUnneeded", () => {
  for (const [own, above, expected] of cases) {
    it(`of ${own}${above.map((list) => ` above ${list}`).join("")}`, () => {
      assert.deepEqual(sentences(own, ...above), expected);
    });
  }
  it("counts a preset as one", () => {
    const [sentence = "", ...others] = sentences("@npm @npm registry.npmjs.org:443/tcp");
    assert.match(sentence, /^entry "@npm" is not needed: /);
    assert.match(others.join(), /^entry "registry.npmjs.org:443\/tcp" is not needed: .*of @npm/);
  });

  const word = fc
    .tuple(
      fc.constantFrom("", "", "!"),
      fc.constantFrom(
        "a.x.example",
        "*.x.example",
        "*.a.x.example",
        "b-*.x.example",
        "192.0.2.0/24",
        "192.0.2.7",
      ),
      fc.constantFrom("", ":80", ":80-90", ":85-99/tcp", "/udp", ":53", ":53/udp", ":50-60"),
    )
    .map((parts) => parts.join(""));
  it("changes nothing that is decided when what it finds is left out", () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), (words) => {
        const gone = new Set(findUnneeded(splitList(words.join(" "), presets)).map(({ index }) => index));
        const rest = words.filter((_, index) => !gone.has(index));
        assert.deepEqual(decided(rest), decided(words));
      }),
      { numRuns: 500 },
    );
  });
});

/** What may be reached by each of some names and addresses. */
function decided(words: readonly string[]): unknown {
  const policy = policyOf("app", words.join(" "));
  const names = ["a.x.example", "x.example", "b-1.x.example", "c.a.x.example"].map((name) => {
    const decision = decideName(policy, name, 0);
    return decision.allowed ? subtractServices(decision.services, []) : [];
  });
  const packets = ["192.0.2.7", "192.0.2.8"].flatMap((text) =>
    [[], ["a.x.example"], ["b-1.x.example"]].map((led) => {
      const destination = parseAddress(text) ?? assert.fail(text);
      const { taken } = addressRights(policy, destination, 0);
      const passes = [1, 6, 17].flatMap((ipProtocol) =>
        [53, 55, 80, 87, 443].map((port) => {
          const packet = { destination, ipProtocol, port: ipProtocol === 1 ? undefined : port };
          return decidePacket(policy, packet, led, 0).allowed;
        }),
      );
      return [passes, subtractServices(taken.map(serviceOf), [])];
    }),
  );
  return [names, packets];
}
