import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { codeOfType } from "../../../../src/core/dns/wire/record-types.ts";
import { type IpAddress, parseAddress } from "../../../../src/core/model/address.ts";
import { parseAllowlist } from "../../../../src/core/policy/allowlist.ts";
import { warnOfPublicSuffixes } from "../../../../src/core/policy/public-suffix.ts";
import { insideOf, labelView } from "../../../../src/core/suggest/label-view.ts";
import type { NeedsContext } from "../../../../src/core/suggest/needs-context.ts";
import type { Observation, SeenConnection, SeenLookup } from "../../../../src/core/suggest/observed.ts";
import { shareOut } from "../../../../src/core/suggest/share-out.ts";
import { suggest as suggestWith } from "../../../../src/core/suggest/suggest.ts";
import { listOf, presets } from "../../../support/policies.ts";
import { bridgeNetwork, guardedNetwork } from "../../../support/topologies.ts";

const asker = "198.19.1.2" as IpAddress;
const gateway = "198.19.1.1" as IpAddress;

const bridge = bridgeNetwork("home", "198.19.1.0/24");
const home = guardedNetwork(bridge);
const neighbour = bridgeNetwork("neighbour", "198.19.2.0/24");
const inside = insideOf({
  topology: { networks: [bridge, neighbour], containers: [] },
  hostAddresses: [gateway],
  bridgesFiltered: true,
});

/** With this label. */
function contextOf(allow: string, types: readonly number[] = []): NeedsContext {
  const network = { ...home, labels: { ...home.labels, types } };
  return { ...labelView(network, [listOf(allow)], inside, 0), takenBy: () => undefined };
}

const nothingYet = contextOf("");
const suggest = (seen: Observation, context: NeedsContext, wildcards = false) =>
  suggestWith(seen, context, { wildcards });

const container = { id: "c1", name: "web" };
const lookup = (domain: string, allowed = false, more: Partial<SeenLookup> = {}): SeenLookup => ({
  asker,
  container,
  domain,
  type: undefined,
  allowed,
  trouble: undefined,
  count: 1,
  refused: [],
  addresses: more.refused ?? [],
  mayExist: true,
  ...more,
});
const txt = (domain: string): SeenLookup => lookup(domain, false, { type: "TXT" });
const leadsTo = (domain: string, ...refused: readonly string[]): SeenLookup =>
  lookup(domain, false, { refused: refused as readonly IpAddress[] });

/** `tcp:443`, `udp:53` or `icmp`, to an address or to the address of names. */
function connection(to: string, packet: string, ...names: readonly string[]): SeenConnection {
  const [protocol = "", port] = packet.split(":");
  return {
    asker,
    container,
    destination: parseAddress(to) ?? assert.fail(to),
    ipProtocol: { tcp: 6, udp: 17, icmp: 1 }[protocol] ?? assert.fail(packet),
    port: port === undefined ? undefined : Number(port),
    names,
    allowed: false,
    packets: 1,
  };
}

const one = "203.0.113.1";
const within = "10.20.0.5";
const cases: readonly [
  name: string,
  seen: Partial<Observation>,
  entries: readonly string[],
  label?: string,
][] = [
  ["nothing", {}, []],
  ["what the label allows already", { lookups: [lookup("a.example.com", true)] }, [], "a.example.com"],
  ["what only an override allowed", { lookups: [lookup("a.example.com", true)] }, ["a.example.com"]],
  ["a name that was only looked up", { lookups: [lookup("a.example.com")] }, ["a.example.com"]],
  [
    "an address that the name leads to, which is there for another port",
    { lookups: [leadsTo("db.example.com", within)] },
    ["db.example.com@10.20.0.5:80"],
    "db.example.com:80 10.20.0.5:443",
  ],
  ["a name that nobody has", { lookups: [lookup("a.example.com", false, { mayExist: false })] }, []],
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
  [
    "port 53 beside its neighbours: it counts only by itself",
    {
      connections: [52, 53, 54].map((port) => connection(one, `udp:${port}`, "a.example.com")),
    },
    ["a.example.com:52/udp", "a.example.com:53/udp", "a.example.com:54/udp"],
  ],
  [
    "port 53 among so many that every port is written",
    {
      connections: Array.from({ length: 12 }, (_, index) =>
        connection(one, `udp:${43 + 2 * index}`, "a.example.com"),
      ),
    },
    ["a.example.com/udp", "a.example.com:53/udp"],
  ],
  [
    "port 53 and another protocol",
    { connections: [connection(one, "icmp"), connection(one, "udp:53")] },
    ["203.0.113.1", "203.0.113.1:53/udp"],
  ],
  ["another protocol", { connections: [connection(one, "icmp", "a.example.com")] }, ["a.example.com"]],
  ["an address without a lookup", { connections: [connection(one, "tcp:443")] }, ["203.0.113.1:443/tcp"]],
  [
    "what was denied before the label allowed it",
    { connections: [connection(one, "tcp:443")] },
    [],
    "203.0.113.0/24",
  ],
  ["IPv6", { connections: [connection("2001:db8::1", "tcp:443")] }, ["[2001:db8::1]:443/tcp"]],
  ["the host", { connections: [connection(gateway, "tcp:5432")] }, ["host:5432/tcp"]],
  ["a port of the host that is open", { connections: [connection(gateway, "tcp:5432")] }, [], "host:5432"],
  [
    "the same from a network of the container's that is not guarded",
    { connections: [{ ...connection(gateway, "tcp:5432"), asker: "198.19.2.2" as IpAddress }] },
    [],
    "host:5432",
  ],
  [
    "a name that leads to the host: with the port of the host",
    {
      lookups: [leadsTo("app.example.com", gateway)],
      connections: [connection(gateway, "tcp:443", "app.example.com")],
    },
    ["app.example.com:443/tcp", "host:443/tcp"],
  ],
  [
    "a name that leads to the host, and a container of another network, to which Docker lets nothing",
    { lookups: [leadsTo("app.example.com", gateway)], connections: [connection("198.19.2.2", "tcp:8443")] },
    ["app.example.com@198.19.1.1"],
  ],
  [
    "a name that leads inside: as far as there, which opens nothing without a lookup",
    {
      lookups: [leadsTo("db.example.com", within)],
      connections: [connection(within, "tcp:5432", "db.example.com")],
    },
    ["db.example.com@10.20.0.5:5432/tcp"],
  ],
  [
    "a name that leads to a unique local address",
    { connections: [connection("fd00::5", "tcp:5432", "db.example.com")] },
    ["db.example.com@[fd00::5]:5432/tcp"],
  ],
  [
    "the same for every port",
    { connections: [connection("fd00::5", "icmp", "db.example.com")] },
    ["db.example.com@fd00::5"],
  ],
  [
    "a name that leads inside and outside, and was tried there and there",
    {
      connections: [
        connection(within, "tcp:5432", "db.example.com"),
        connection(one, "tcp:443", "db.example.com"),
      ],
    },
    ["db.example.com:443/tcp", "db.example.com@10.20.0.5:5432/tcp"],
  ],
  [
    "a name that leads inside and outside in turns, and was tried inside",
    {
      lookups: [lookup("db.example.com", false, { addresses: [one as IpAddress] })],
      connections: [connection(within, "tcp:5432", "db.example.com")],
    },
    ["db.example.com:5432/tcp", "db.example.com@10.20.0.5:5432/tcp"],
  ],
  [
    "a name that leads inside and outside in one answer, and was tried inside",
    {
      lookups: [lookup("db.example.com", false, { addresses: [one as IpAddress, within as IpAddress] })],
      connections: [connection(within, "tcp:5432", "db.example.com")],
    },
    ["db.example.com@10.20.0.5:5432/tcp"],
  ],
  [
    "two names that lead inside to one address",
    {
      lookups: [leadsTo("a.example.com", within), leadsTo("b.example.com", within)],
      connections: [connection(within, "tcp:5432", "a.example.com", "b.example.com")],
    },
    ["a.example.com@10.20.0.5:5432/tcp", "b.example.com@10.20.0.5:5432/tcp"],
  ],
  [
    "an address inside that was tried without a lookup",
    { connections: [connection(within, "tcp:5432")] },
    ["10.20.0.5:5432/tcp"],
  ],
  [
    "the same, and a name that leads there, which opens no more",
    { lookups: [leadsTo("db.example.com", within)], connections: [connection(within, "tcp:5432")] },
    ["db.example.com@10.20.0.5:5432/tcp", "10.20.0.5:5432/tcp"],
  ],
  [
    "an allowed name that leads where an address was tried without a lookup",
    { lookups: [leadsTo("db.example.com", within)], connections: [connection(within, "tcp:5432")] },
    ["10.20.0.5:5432/tcp"],
    "db.example.com:5432",
  ],
  [
    "a name that may lead somewhere else inside",
    { lookups: [leadsTo("db.example.com", within)], connections: [connection(within, "tcp:5432")] },
    ["db.example.com@10.20.0.5:5432/tcp", "10.20.0.5:5432/tcp"],
    "db.example.com@10.30.0.0/16:5432/tcp",
  ],
  [
    "a name that leads nowhere but to the host's own link",
    { lookups: [leadsTo("metadata.example.com", "169.254.169.254")] },
    [],
  ],
  [
    "the same where only the name is in the label",
    { lookups: [lookup("db.example.com", true, { trouble: "private", refused: [within as IpAddress] })] },
    ["db.example.com@10.20.0.5:5432/tcp"],
    "db.example.com:5432/tcp",
  ],
  [
    "the same where the address is in the label",
    {
      lookups: [leadsTo("db.example.com", within)],
      connections: [connection(within, "tcp:5432", "db.example.com")],
    },
    ["db.example.com@10.20.0.5:5432/tcp"],
    "10.20.0.0/16:5432/tcp",
  ],
  [
    "an answer of which one address of two was used",
    {
      lookups: [leadsTo("db.example.com", "10.20.0.4", within)],
      connections: [connection(within, "tcp:5432", "db.example.com")],
    },
    ["db.example.com@10.20.0.5:5432/tcp"],
  ],
  [
    "a TXT record below a wildcard, which opens no more ports than that",
    { lookups: [lookup("a.example.com", true, { type: "TXT", trouble: "type" })] },
    ["a.example.com:443/tcp"],
    "*.example.com:443/tcp",
  ],
  [
    "a TXT record of a name that is written out",
    { lookups: [txt("a.example.com")] },
    [],
    "a.example.com:443",
  ],
  [
    "many names of one owner, each by itself",
    { lookups: ["a", "b", "c", "d", "e"].map((label) => lookup(`${label}.example.com`)) },
    ["a.example.com", "b.example.com", "c.example.com", "d.example.com", "e.example.com"],
  ],
];

const wildcardCases: typeof cases = [
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
    "four names and one whose TXT record is needed",
    {
      lookups: ["a", "b", "c", "d"]
        .map((label) => lookup(`${label}.example.com`))
        .concat(txt("e.example.com")),
    },
    ["*.example.com", "e.example.com"],
  ],
  [
    "four names deep down",
    { lookups: ["a", "b", "c", "d"].map((label) => lookup(`${label}.x.example.com`)) },
    ["*.x.example.com"],
  ],
  [
    "four names that lead to one address inside",
    {
      connections: ["a", "b", "c", "d"].map((label) => connection(within, "tcp:443", `${label}.example.com`)),
    },
    ["*.example.com@10.20.0.5:443/tcp"],
  ],
  [
    "four names of different owners",
    { lookups: ["a", "b", "c", "d"].map((label) => lookup(`${label}.github.io`)) },
    ["a.github.io", "b.github.io", "c.github.io", "d.github.io"],
  ],
];

describe("suggest", () => {
  for (const [name, seen, entries, label = ""] of cases) {
    it(name, () => {
      const all = { lookups: [], connections: [], ...seen };
      assert.deepEqual(suggest(all, contextOf(label)).entries, entries);
      // With what was suggested there is nothing to add.
      const again = suggest(all, contextOf([label, ...entries].join(" ")));
      assert.deepEqual([again.entries, again.types], [[], []]);
    });
  }
  for (const [name, seen, entries] of wildcardCases) {
    it(`${name}, where wildcards are wanted`, () =>
      assert.deepEqual(
        suggest({ lookups: [], connections: [], ...seen }, nothingYet, true).entries,
        entries,
      ));
  }

  it("leaves out what no entry would open, and says why", () => {
    const { entries, leftOut } = suggest(
      { lookups: [], connections: [connection("198.19.2.2", "tcp:8443")] },
      nothingYet,
    );
    assert.deepEqual(entries, []);
    assert.deepEqual(leftOut, [
      {
        what: "198.19.2.2, port 8443",
        why: "it is on another network of the engine, and Docker keeps its networks apart",
      },
    ]);
  });

  it("says what a wildcard stands for", () => {
    const lookups = ["a", "b", "c", "d"].map((label) => lookup(`${label}.example.com`));
    assert.deepEqual(suggest({ lookups, connections: [] }, nothingYet, true).notes, [
      "*.example.com stands for a.example.com, b.example.com, c.example.com, d.example.com",
      "no connection was seen to a.example.com, b.example.com, c.example.com, d.example.com: every port is open as printed; add those that are needed",
    ]);
  });

  it("names the types of records that are not served by default", () => {
    const lookups = [lookup("a.example.com", true, { type: "SSHFP", trouble: "type" })];
    const { entries, types } = suggest({ lookups, connections: [] }, contextOf("*.example.com"));
    assert.deepEqual([entries, types], [[], ["SSHFP"]]);
    assert.deepEqual(suggest({ lookups, connections: [] }, contextOf("*.example.com", [44])).types, []);
  });

  it("gives the network what all of its containers need, and each of them the rest", () => {
    const subject = (name: string, ...ports: readonly number[]) => ({
      name,
      isService: true,
      present: "",
      suggestion: suggest(
        { lookups: [], connections: ports.map((port) => connection(one, `tcp:${port}`)) },
        nothingYet,
      ),
    });
    const shared = (...subjects: readonly ReturnType<typeof subject>[]) => {
      const { network, subjects: own } = shareOut(subjects);
      return [network, own.map(({ subject: { name }, added }) => [name, ...added])];
    };
    assert.deepEqual(shared(subject("web", 80, 443)), [[`${one}:80/tcp`, `${one}:443/tcp`], []]);
    assert.deepEqual(shared(subject("web", 80, 443), subject("db", 443)), [
      [`${one}:443/tcp`],
      [["web", `${one}:80/tcp`]],
    ]);
    assert.deepEqual(shared(subject("web", 80), subject("idle")), [[], [["web", `${one}:80/tcp`]]]);
  });

  it("ports of the host in entries that can be pasted, however many were tried", () => {
    const connections = Array.from({ length: 3000 }, (_, index) => connection(gateway, `tcp:${index + 100}`));
    const { entries, leftOut } = suggest(
      { lookups: [], connections: [...connections, connection(gateway, "udp:123")] },
      nothingYet,
    );
    assert.deepEqual(entries, ["host:123/udp"]);
    assert.match(leftOut[0]?.why ?? "", /at most 1024 ports/);
  });

  it("no port 53 of the host, where Dockerwall answers", () => {
    const seen = { lookups: [], connections: [connection(gateway, "udp:53")] };
    const { entries, leftOut } = suggest(seen, nothingYet);
    assert.deepEqual(entries, []);
    assert.deepEqual(leftOut, [
      {
        what: `${gateway}, port 53`,
        why: "it is a lookup: Dockerwall answers it by the allowlist, whichever server it is sent to",
      },
    ]);
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
    it(`no ${JSON.stringify(name)}, whichever container looked it up`, () => {
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
    fc
      .tuple(
        fc.constantFrom("tcp", "udp"),
        fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 51, max: 55 })),
      )
      .map((parts) => parts.join(":")),
    fc.constant("icmp"),
  );
  const destinations = [one, "203.0.113.2", "2001:db8::1", within, gateway, "198.19.2.2"];
  /** The names that led to each address, and what was tried for: a connection has all the names of its address. */
  const connections = fc
    .tuple(
      fc.tuple(...destinations.map(() => fc.uniqueArray(names, { maxLength: 2 }))),
      fc.array(fc.tuple(fc.nat(destinations.length - 1), packets)),
    )
    .map(([known, tried]) =>
      tried.map(([to, packet]) => connection(destinations[to] ?? one, packet, ...(known[to] ?? []))),
    );
  const lookups = fc
    .tuple(
      names,
      fc.constantFrom(undefined, "TXT", "SSHFP"),
      fc.constantFrom([], [within], [gateway], [gateway, within, "10.20.0.6"]),
    )
    .map(([name, type, refused]) =>
      lookup(name, false, { type, refused: refused.flatMap((text) => parseAddress(text) ?? []) }),
    );
  it("allows all that was seen and is not left out, twice the same, and needs each of its entries", () => {
    fc.assert(
      fc.property(fc.array(lookups), connections, fc.boolean(), (asked, tried, wildcards) => {
        // Who knows a name has looked it up.
        const known = tried.flatMap((each) => each.names).map((name) => lookup(name));
        const seen = { lookups: [...asked, ...known], connections: tried };
        const { entries, types, leftOut } = suggest(seen, nothingYet, wildcards);
        const parsed = parseAllowlist(entries.join(" "), presets);
        assert.ok(parsed.ok, JSON.stringify(parsed));
        assert.deepEqual(warnOfPublicSuffixes("here", parsed.entries), []);
        assert.equal(new Set(entries).size, entries.length);
        const reversed = { lookups: seen.lookups.toReversed(), connections: tried.toReversed() };
        assert.deepEqual(suggest(reversed, nothingYet, wildcards).entries, entries);
        const codes = types.map((type) => codeOfType(type) ?? assert.fail(type));
        const granted = (label: readonly string[]) =>
          suggest(seen, contextOf(label.join(" "), codes), wildcards);
        const again = granted(entries);
        assert.deepEqual([again.entries, again.types], [[], []]);
        // A wildcard may cover what is no name to be written out.
        if (!wildcards) assert.deepEqual(again.leftOut, leftOut);
        // Which of two names a connection was for cannot be told, so both have it.
        if (wildcards || tried.some((each) => each.names.length > 1)) return;
        // A name that leads to the host is answered by any of its entries.
        const ofHost = new Set(
          tried.flatMap(({ names: its, destination }) => (inside.isHost(destination) ? its : [])),
        );
        // Who leads where inside: an entry as far as there opens less than one for the name or for the address.
        const leads = [
          ...seen.lookups.flatMap(({ domain, refused }) => refused.map((to) => [domain, to] as const)),
          ...tried.flatMap((each) => {
            const [name] = each.names;
            const isOpen = name !== undefined && nothingYet.whyNever(each) === undefined;
            return isOpen ? [[name, each.destination] as const] : [];
          }),
        ].filter(([name, to]) => inside.isInside(to) && !inside.isHost(to) && !ofHost.has(name));
        const narrowerThan = (host: string, suffix: string): readonly string[] =>
          leads
            .flatMap(([name, to]) => (host === name || host === to ? `${name}@${to}${suffix}` : []))
            .filter((each) => parseAllowlist(each, presets).ok);
        const partsOf = (entry: string): readonly string[] =>
          /^(.*?)((?::\d+(?:-\d+)?)?(?:\/\w+)?)$/.exec(entry)?.slice(1) ?? [];
        const without = (entry: string, isPart: (each: string) => boolean, ...instead: readonly string[]) => {
          const left = granted([...entries.filter((each) => !isPart(each)), ...instead]).entries;
          assert.notDeepEqual(left, [], `${instead} for ${entry} of ${entries.join(" ")}`);
        };
        // A name has all ports of where it leads: for an answer one is enough.
        const isAsked = asked.some(({ refused }) => refused.length > 0);
        for (const entry of entries) {
          const [host = "", suffix = ""] = partsOf(entry);
          const [name = ""] = host.split("@");
          const isSame = (each: string): boolean => each === entry;
          const isOfName = (each: string): boolean =>
            each.startsWith(`${name}:`) || each.startsWith(`${name}@`) || each === name;
          without(entry, isAsked || ofHost.has(name) ? isOfName : isSame);
          for (const narrower of narrowerThan(host, suffix)) without(entry, isSame, narrower);
        }
      }),
      { numRuns: 500 },
    );
  });

  // Each with needs of its own; which of two names a connection was for cannot be told, so each address has one at most.
  const subjectsSeen = fc.array(
    fc.tuple(
      fc.array(lookups, { maxLength: 4 }),
      connections.map((tried) => tried.filter((each) => each.names.length < 2)),
    ),
    { minLength: 2, maxLength: 4 },
  );
  it("has each of several containers allowed what it needs, and the network nothing that one of them does not need", () => {
    fc.assert(
      fc.property(subjectsSeen, (all) => {
        const observed = all.map(([asked, tried]): Observation => {
          const known = tried.flatMap((each) => each.names).map((name) => lookup(name));
          return { lookups: [...asked, ...known], connections: tried };
        });
        const types = new Set(observed.flatMap((seen) => suggest(seen, nothingYet).types));
        const codes = [...types].map((type) => codeOfType(type) ?? assert.fail(type));
        const subjects = observed.map((seen, at) => {
          const suggestion = suggest(seen, nothingYet);
          return { name: `c${at}`, isService: false, present: "", suggestion };
        });
        const shared = shareOut(subjects);
        const ownOf = (name: string): readonly string[] =>
          shared.subjects.find(({ subject }) => subject.name === name)?.added ?? [];
        const needsLeft = (
          at: number,
          label: readonly string[],
          own: readonly string[],
        ): readonly string[] => {
          const network = { ...home, labels: { ...home.labels, types: codes } };
          const lists = [listOf(label.join(" ")), listOf(own.join(" "))];
          const context = { ...labelView(network, lists, inside, 0), takenBy: () => undefined };
          return suggest(observed[at] ?? assert.fail(), context).entries;
        };
        subjects.forEach(({ name, suggestion }, at) => {
          assert.deepEqual(needsLeft(at, shared.network, ownOf(name)), [], name);
          // Nobody gets more than its own needs by what all have in common.
          for (const entry of shared.network)
            assert.ok(suggestion.entries.includes(entry), `${name} ${entry}`);
          for (const entry of ownOf(name)) assert.ok(!shared.network.includes(entry), `${name} ${entry}`);
        });
      }),
      { numRuns: 300 },
    );
  });
});
