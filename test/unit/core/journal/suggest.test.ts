import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Observation, SeenConnection, SeenLookup } from "../../../../src/core/journal/observed.ts";
import { type SuggestContext, suggest } from "../../../../src/core/journal/suggest.ts";
import { type IpAddress, parseAddress } from "../../../../src/core/model/address.ts";
import { parseAllowlist } from "../../../../src/core/policy/allowlist.ts";
import { decideName, decidePacket } from "../../../../src/core/policy/decide.ts";
import { warnOfPublicSuffixes } from "../../../../src/core/policy/public-suffix.ts";
import { policyOf, presets } from "../../../support/policies.ts";

const asker = "198.19.1.2" as IpAddress;
const gateway = "198.19.1.1" as IpAddress;

const nothingYet: SuggestContext = {
  allowsName: () => false,
  takenBy: () => undefined,
  isHost: (address) => address === gateway,
  unfit: () => undefined,
};

const lookup = (domain: string, allowed = false): SeenLookup => ({
  asker,
  container: "web",
  domain,
  allowed,
  count: 1,
});

/** `tcp:443`, `udp:53` or `icmp`, to an address or to the address of names. */
function connection(to: string, packet: string, ...names: readonly string[]): SeenConnection {
  const [protocol = "", port] = packet.split(":");
  return {
    asker,
    container: "web",
    destination: parseAddress(to) ?? assert.fail(to),
    ipProtocol: { tcp: 6, udp: 17, icmp: 1 }[protocol] ?? assert.fail(packet),
    port: port === undefined ? undefined : Number(port),
    names,
    allowed: false,
    packets: 1,
  };
}

const one = "203.0.113.1";
const cases: readonly [name: string, seen: Partial<Observation>, entries: readonly string[]][] = [
  ["nothing", {}, []],
  ["what was allowed is left alone", { lookups: [lookup("a.example.com", true)] }, []],
  ["a name that was only looked up", { lookups: [lookup("a.example.com")] }, ["a.example.com"]],
  [
    "a name with the ports that were tried",
    {
      lookups: [lookup("a.example.com")],
      connections: [connection(one, "tcp:443", "a.example.com"), connection(one, "tcp:80", "a.example.com")],
    },
    ["a.example.com:443/tcp", "a.example.com:80/tcp"],
  ],
  [
    "TCP and UDP to one port",
    { connections: [connection(one, "tcp:53", "a.example.com"), connection(one, "udp:53", "a.example.com")] },
    ["a.example.com:53"],
  ],
  ["another protocol", { connections: [connection(one, "icmp", "a.example.com")] }, ["a.example.com"]],
  ["an address without a lookup", { connections: [connection(one, "tcp:443")] }, ["203.0.113.1:443/tcp"]],
  ["IPv6", { connections: [connection("2001:db8::1", "tcp:443")] }, ["[2001:db8::1]:443/tcp"]],
  ["the host", { connections: [connection(gateway, "tcp:5432")] }, ["host:5432/tcp"]],
  [
    "three names of one owner",
    { lookups: ["a", "b", "c"].map((label) => lookup(`${label}.example.com`)) },
    ["a.example.com", "b.example.com", "c.example.com"],
  ],
  [
    "four names of one owner",
    { lookups: ["a", "b", "c", "d"].map((label) => lookup(`${label}.example.com`)) },
    ["*.example.com"],
  ],
  [
    "four names deep down",
    { lookups: ["a", "b", "c", "d"].map((label) => lookup(`${label}.x.example.com`)) },
    ["*.x.example.com"],
  ],
  [
    "four names of different owners",
    { lookups: ["a", "b", "c", "d"].map((label) => lookup(`${label}.github.io`)) },
    ["a.github.io", "b.github.io", "c.github.io", "d.github.io"],
  ],
];

describe("suggest", () => {
  for (const [name, seen, entries] of cases) {
    it(name, () =>
      assert.deepEqual(suggest({ lookups: [], connections: [], ...seen }, nothingYet).entries, entries),
    );
  }
  it("ports of the host in entries that can be pasted, however many were tried", () => {
    const connections = Array.from({ length: 3000 }, (_, index) => connection(gateway, `tcp:${index + 1}`));
    const { entries, leftOut } = suggest(
      { lookups: [], connections: [...connections, connection(gateway, "udp:53")] },
      nothingYet,
    );
    assert.deepEqual(entries, ["host:53/udp"]);
    assert.match(leftOut[0]?.why ?? "", /at most 1024 ports/);
  });

  // A container may look up what it likes: what would be pasted as something else than a name is left out.
  const hostile = [
    "0.0.0.0/0",
    "203.0.113.1",
    "*.com",
    "*",
    "host",
    "host:22",
    "!www.example.com",
    "@github",
    "www.example.com:443",
    "a.example.com/tcp",
    "a b.example.com",
  ];
  for (const name of hostile)
    it(`no ${JSON.stringify(name)}, whoever looked it up`, () => {
      const connections = [connection(one, "tcp:443", name)];
      const { entries, leftOut } = suggest({ lookups: [lookup(name)], connections }, nothingYet);
      assert.deepEqual(entries, []);
      assert.deepEqual(leftOut.map(({ what }) => what).includes(name), true);
    });

  const names = fc.constantFrom(
    ...["example.com", "x.example.com", "co.uk", "github.io"].flatMap((owner) =>
      ["a", "b", "c", "d", "a.b", "_x"].map((label) => `${label}.${owner}`),
    ),
    "localhost",
    "odd\\.name.example.com",
    "1.113.0.203.in-addr.arpa",
  );
  const packets = fc.oneof(
    fc.tuple(fc.constantFrom("tcp", "udp"), fc.integer({ min: 1, max: 30 })).map((parts) => parts.join(":")),
    fc.constant("icmp"),
  );
  const connections = fc
    .tuple(
      fc.constantFrom(one, "203.0.113.2", "2001:db8::1"),
      packets,
      fc.uniqueArray(names, { maxLength: 2 }),
    )
    .map(([to, packet, known]) => connection(to, packet, ...known));
  it("would have allowed all that was denied and is not left out, and can be pasted", () => {
    fc.assert(
      fc.property(fc.array(names.map((name) => lookup(name))), fc.array(connections), (lookups, tried) => {
        const { entries, leftOut } = suggest({ lookups, connections: tried }, nothingYet);
        const parsed = parseAllowlist(entries.join(" "), presets);
        assert.ok(parsed.ok, JSON.stringify(parsed));
        assert.deepEqual(warnOfPublicSuffixes("here", parsed.entries), []);
        assert.equal(new Set(entries).size, entries.length);
        const policy = policyOf("web", entries.join(" "));
        for (const { domain } of lookups)
          if (!leftOut.some(({ what }) => what === domain))
            assert.ok(decideName(policy, domain, 0).allowed, domain);
        for (const { destination, ipProtocol, port, names: known } of tried) {
          const fit = known.filter((name) => decideName(policy, name, 0).allowed);
          if (known.length > 0 && fit.length === 0) continue;
          assert.ok(decidePacket(policy, { destination, ipProtocol, port }, known, 0).allowed);
        }
      }),
      { numRuns: 500 },
    );
  });
});
