import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createHolders, type Holders } from "../../../../src/core/journal/holders.ts";
import type { LookupEvent } from "../../../../src/core/journal/lookup-event.ts";
import { othersLabel } from "../../../../src/core/journal/lookup-rows.ts";
import { createLookupJournal, type LookupTally } from "../../../../src/core/journal/lookups.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Topology } from "../../../../src/core/model/topology.ts";

const ip = (text: string) => text as IpAddress;

function lookup(event: Partial<LookupEvent> & { readonly domain: string }): LookupEvent {
  return { networkId: "n1", asker: ip("198.18.0.2"), allowed: true, atMs: 1000, granted: [], ...event };
}

function containers(...list: readonly (readonly [id: string, name: string, address: string])[]): Topology {
  return {
    networks: [],
    containers: list.map(([id, name, address]) => ({
      id,
      name,
      labels: {},
      running: true,
      networkMode: "n1",
      sandbox: undefined,
      configured: [],
      hazards: [],
      endpoints: [{ networkId: "n1", addresses: [ip(address)], aliases: [], links: [] }],
    })),
  };
}

/** Who is where by the last of these pictures, on the guarded network n1. */
function holdersBy(...pictures: readonly Topology[]): Holders {
  const holders = createHolders(() => undefined);
  for (const picture of pictures) holders.learn(picture, new Set(["n1"]), 0);
  return holders;
}

/** `asker container domain +count@lastSeen`, sorted. */
function dump(tallies: readonly LookupTally[]): string[] {
  return tallies
    .map(({ asker, container, domain, allowed, count, lastSeenMs }) => {
      return `${asker} ${container === undefined ? "-" : `${container.name}/${container.id}`} ${domain} ${allowed ? "+" : "-"}${count}@${lastSeenMs}`;
    })
    .sort();
}

test("lookups: one row for network, asker, domain and verdict", () => {
  const journal = createLookupJournal({ ttlSeconds: 60 });
  journal.record(
    [
      lookup({ domain: "a.example.com" }),
      lookup({ domain: "a.example.com", atMs: 3000 }),
      lookup({ domain: "a.example.com", atMs: 2000 }),
      lookup({ domain: "a.example.com", allowed: false, atMs: 4000 }),
      lookup({ domain: "a.example.com", asker: ip("198.18.0.3") }),
      lookup({ domain: "a.example.com", networkId: "n2" }),
    ],
    4000,
  );
  assert.deepEqual(dump(journal.tallies(4000)), [
    "198.18.0.2 - a.example.com +1@1000",
    "198.18.0.2 - a.example.com +3@3000",
    "198.18.0.2 - a.example.com -1@4000",
    "198.18.0.3 - a.example.com +1@1000",
  ]);
});

test("lookups: a row goes when its last lookup is older than the TTL", () => {
  const journal = createLookupJournal({ ttlSeconds: 60 });
  journal.record([lookup({ domain: "old.example.com" }), lookup({ domain: "used.example.com" })], 1000);
  journal.record([lookup({ domain: "used.example.com", atMs: 30_000 })], 30_000);
  assert.equal(journal.tallies(61_000).length, 2);
  assert.deepEqual(dump(journal.tallies(61_001)), ["198.18.0.2 - used.example.com +2@30000"]);
  assert.deepEqual(journal.tallies(90_001), []);
});

test("lookups: events sweep what expired, of others too", () => {
  const journal = createLookupJournal({ ttlSeconds: 60, maxRows: 100, maxRowsPerAsker: 10 });
  const crowd = Array.from({ length: 10 }, (_, index) =>
    lookup({ domain: "x.example.com", asker: ip(`198.18.1.${index}`) }),
  );
  journal.record(crowd, 1000);
  for (let index = 0; index < 20; index++) {
    journal.record([lookup({ domain: "y.example.com", atMs: 100_000 })], 100_000);
  }
  // Looked at with a clock that would still show them.
  assert.deepEqual(dump(journal.tallies(1000)), ["198.18.0.2 - y.example.com +20@100000"]);
});

test("lookups: an asker keeps its most recent rows, and a count of the others", () => {
  const journal = createLookupJournal({ ttlSeconds: 60, maxRowsPerAsker: 3 });
  journal.record([lookup({ domain: "kept.example.com" })], 1000);
  for (let index = 0; index < 1000; index++) {
    const denied = lookup({ domain: `n${index}.example.org`, allowed: false, atMs: 2000 + index });
    journal.record([denied, lookup({ domain: "kept.example.com", atMs: 2000 + index })], 3000);
  }
  assert.deepEqual(dump(journal.tallies(3000)), [
    `198.18.0.2 - ${othersLabel} -998@2997`,
    "198.18.0.2 - kept.example.com +1001@2999",
    "198.18.0.2 - n998.example.org -1@2998",
    "198.18.0.2 - n999.example.org -1@2999",
  ]);
});

test("lookups: a full journal takes from who has most, never from who has less", () => {
  const journal = createLookupJournal({ ttlSeconds: 60, maxRows: 100, maxRowsPerAsker: 80 });
  const quiet = Array.from({ length: 10 }, (_, index) =>
    lookup({ domain: `q${index}.example.com`, asker: ip("198.18.0.9") }),
  );
  journal.record(quiet, 1000);
  for (let index = 0; index < 1000; index++) {
    for (const asker of ["198.18.0.2", "198.18.0.3"]) {
      journal.record([lookup({ domain: `n${index}.example.org`, allowed: false, asker: ip(asker) })], 1000);
    }
  }
  const tallies = journal.tallies(1000).filter(({ domain }) => domain !== othersLabel);
  assert.equal(tallies.length, 100);
  assert.equal(tallies.filter(({ asker }) => asker === "198.18.0.9").length, 10);
});

test("lookups: more askers than are kept are counted together", () => {
  const journal = createLookupJournal({ ttlSeconds: 60, maxAskers: 5 });
  for (let index = 0; index < 1000; index++) {
    journal.record(
      [lookup({ domain: `n${index}.example.org`, asker: `198.18.1.${index}` as IpAddress })],
      1000,
    );
  }
  const tallies = journal.tallies(1000);
  assert.equal(tallies.length, 6);
  assert.equal(tallies.find(({ asker }) => asker === othersLabel)?.count, 995);
});

test("lookups: a flood in one network takes no row of another's", () => {
  const flood = (journal: ReturnType<typeof createLookupJournal>): void => {
    // Each asker of the flood has fewer rows than the quiet one, and there are more of them than are kept.
    for (let index = 0; index < 3_000; index++) {
      const asker = ip(`198.19.${Math.floor(index / 30) % 10}.${Math.floor(index / 3) % 100}`);
      const event = lookup({ networkId: "n2", domain: `n${index}.example.org`, allowed: false, asker });
      journal.record([event], 1000);
    }
  };
  const quiet = Array.from({ length: 40 }, (_, index) =>
    lookup({ domain: `q${index % 10}.example.com`, asker: ip(`198.18.0.${Math.floor(index / 10)}`) }),
  );
  for (const late of [false, true]) {
    const journal = createLookupJournal({ ttlSeconds: 60, maxRows: 100, maxAskers: 20 });
    if (!late) journal.record(quiet, 1000);
    flood(journal);
    if (late) journal.record(quiet, 1000);
    const mine = journal.tallies(1000).filter(({ networkId }) => networkId === "n1");
    assert.deepEqual(
      mine.map(({ asker, domain, count }) => `${asker} ${domain} ${count}`).sort(),
      quiet.map(({ asker, domain }) => `${asker} ${domain} 1`).sort(),
    );
    const all = journal.tallies(1000);
    assert.equal(
      all.reduce((sum, { count }) => sum + count, 0),
      3_040,
    );
    assert.ok(all.filter(({ domain }) => domain !== othersLabel).length <= 100);
  }
});

test("lookups: no lookup is lost or counted twice, whatever the bounds", () => {
  const events = fc.array(
    fc.record({ domain: fc.nat(30), asker: fc.nat(6), allowed: fc.boolean(), network: fc.nat(1) }),
    { maxLength: 400 },
  );
  fc.assert(
    fc.property(
      events,
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 8 }),
      (list, maxRows, maxRowsPerAsker, maxAskers) => {
        const journal = createLookupJournal({ ttlSeconds: 60, maxRows, maxRowsPerAsker, maxAskers });
        for (const { domain, asker, allowed, network } of list) {
          journal.record(
            [
              lookup({
                domain: `n${domain}`,
                asker: ip(`198.18.0.${asker}`),
                allowed,
                networkId: `${network}`,
              }),
            ],
            1000,
          );
        }
        const tallies = journal.tallies(1000);
        const rows = tallies.filter(({ domain }) => domain !== othersLabel);
        assert.equal(
          tallies.reduce((sum, { count }) => sum + count, 0),
          list.length,
        );
        assert.equal(
          tallies.reduce((sum, { count, allowed }) => sum + (allowed ? count : 0), 0),
          list.filter(({ allowed }) => allowed).length,
        );
        assert.ok(rows.length <= maxRows);
        for (const mine of Map.groupBy(rows, ({ asker, networkId }) => `${networkId} ${asker}`).values()) {
          assert.ok(mine.length <= maxRowsPerAsker);
        }
      },
    ),
  );
});

test("lookups: they stay with the container that made them, whichever has its address later", () => {
  const journal = createLookupJournal({ ttlSeconds: 60 });
  const first = containers(["c1", "first", "198.18.0.2"]);
  journal.learn(holdersBy(first));
  journal.record([lookup({ domain: "a.example.com" })], 1000);
  const holders = holdersBy(first, containers());
  journal.learn(holders);
  assert.deepEqual(dump(journal.tallies(1000)), ["198.18.0.2 first/c1 a.example.com +1@1000"]);
  const fresh = { address: ip("198.18.0.2"), sandbox: "s2" };
  journal.passOn([fresh]);
  holders.passOn(fresh, 0);
  journal.record([lookup({ domain: "a.example.com" })], 1000);
  assert.deepEqual(dump(journal.tallies(1000)), [
    "198.18.0.2 - a.example.com +1@1000",
    "198.18.0.2 first/c1 a.example.com +1@1000",
  ]);
  journal.learn(holdersBy(containers(["c2", "second", "198.18.0.2"])));
  assert.deepEqual(dump(journal.tallies(1000)), [
    "198.18.0.2 first/c1 a.example.com +1@1000",
    "198.18.0.2 second/c2 a.example.com +1@1000",
  ]);
});

test("lookups: what an earlier run knew is one asker's for each life of an address, known or not whose", () => {
  const rows = (asker: string, container: LookupTally["container"]): LookupTally[] =>
    ["a", "b", "c", "d"].map((name, lastSeenMs) => ({
      ...{ networkId: "n1", asker, container, domain: `${name}.example.com`, lastSeenMs, count: 1 },
      ...{ type: undefined, allowed: true, trouble: undefined, granted: [], refused: [], mayExist: true },
    }));
  const journal = createLookupJournal({ ttlSeconds: 60, maxAskers: 4, maxRowsPerAsker: 3 });
  const gone = rows("198.18.0.2", { id: "c1", name: "gone" });
  journal.restore([...rows("198.18.0.2", undefined), ...gone, ...rows("198.18.0.3", undefined)]);
  // There is room for one more.
  journal.record([lookup({ domain: "e.example.com", asker: ip("198.18.0.4") })], 3);
  const bounded = (who: string): string[] => [
    `${who} ${othersLabel} +1@0`,
    ...["b", "c", "d"].map((name, index) => `${who} ${name}.example.com +1@${index + 1}`),
  ];
  assert.deepEqual(dump(journal.tallies(3)), [
    ...bounded("198.18.0.2 -"),
    ...bounded("198.18.0.2 gone/c1"),
    ...bounded("198.18.0.3 -"),
    "198.18.0.4 - e.example.com +1@1000",
  ]);
});

test("lookups: those of a network end with it", () => {
  const journal = createLookupJournal({ ttlSeconds: 60 });
  journal.record(
    [lookup({ domain: "a.example.com" }), lookup({ domain: "b.example.com", networkId: "n0" })],
    0,
  );
  journal.learn(holdersBy(containers()));
  assert.deepEqual(dump(journal.tallies(1000)), ["198.18.0.2 - a.example.com +1@1000"]);
});

test("lookups: a container that restarts at its address again and again is one asker", () => {
  const journal = createLookupJournal({ ttlSeconds: 60, maxRowsPerAsker: 3 });
  const there = holdersBy(containers(["c1", "web", "198.18.0.2"]));
  for (let start = 0; start < 10; start++) {
    journal.passOn([{ address: ip("198.18.0.2"), sandbox: `s${start}` }]);
    journal.record([lookup({ domain: "a.example.com" }), lookup({ domain: `n${start}.example.com` })], 1000);
    journal.learn(there);
  }
  assert.deepEqual(dump(journal.tallies(1000)), [
    `198.18.0.2 web/c1 ${othersLabel} +8@1000`,
    "198.18.0.2 web/c1 a.example.com +10@1000",
    "198.18.0.2 web/c1 n8.example.com +1@1000",
    "198.18.0.2 web/c1 n9.example.com +1@1000",
  ]);
});

const identities: readonly {
  readonly name: string;
  readonly before: Topology;
  readonly after: Topology;
  readonly rows: readonly string[];
}[] = [
  {
    name: "a renamed container keeps its rows",
    before: containers(["c1", "old", "198.18.0.2"]),
    after: containers(["c1", "new", "198.18.0.2"]),
    rows: ["198.18.0.2 new/c1 a.example.com +2@1000"],
  },
  {
    name: "a container created anew under its name and address begins anew",
    before: containers(["c1", "web", "198.18.0.2"]),
    after: containers(["c2", "web", "198.18.0.2"]),
    rows: ["198.18.0.2 web/c1 a.example.com +1@1000", "198.18.0.2 web/c2 a.example.com +1@1000"],
  },
  {
    name: "a container that was known late has its rows",
    before: containers(),
    after: containers(["c1", "web", "198.18.0.2"]),
    rows: ["198.18.0.2 web/c1 a.example.com +2@1000"],
  },
];

for (const { name, before, after, rows } of identities) {
  test(`lookups: ${name}`, () => {
    const journal = createLookupJournal({ ttlSeconds: 60 });
    journal.learn(holdersBy(before));
    journal.record([lookup({ domain: "a.example.com" })], 1000);
    journal.learn(holdersBy(before, after));
    journal.record([lookup({ domain: "a.example.com" })], 1000);
    journal.learn(holdersBy(before, after));
    assert.deepEqual(dump(journal.tallies(1000)), rows);
  });
}

test("lookups: the names that led a container to an address, by whichever address it asked", () => {
  const journal = createLookupJournal({ ttlSeconds: 60 });
  const granted = [ip("203.0.113.1"), ip("203.0.113.2")];
  const topology = containers(
    ["c1", "web", "198.18.0.2"],
    ["c1", "web", "198.18.0.9"],
    ["c2", "db", "198.18.0.3"],
  );
  journal.record(
    [
      lookup({ domain: "a.example.com", granted }),
      lookup({ domain: "b.example.com", granted: [ip("203.0.113.2")], asker: ip("198.18.0.9"), atMs: 1001 }),
      lookup({ domain: "c.example.com", granted: [ip("203.0.113.1")], asker: ip("198.18.0.3") }),
      lookup({ domain: "p.example.com", refused: [ip("10.0.0.1")] }),
    ],
    1000,
  );
  journal.learn(holdersBy(topology));
  assert.deepEqual(Object.fromEntries(journal.namesOf("c1")), {
    "203.0.113.1": ["a.example.com"],
    "203.0.113.2": ["a.example.com", "b.example.com"],
    "10.0.0.1": ["p.example.com"],
  });
  assert.equal(journal.namesOf("c3").size, 0);
});

test("lookups: of a million distinct names a bounded number is kept", () => {
  const journal = createLookupJournal({ ttlSeconds: 86_400 });
  for (let index = 0; index < 1_000_000; index++) {
    journal.record(
      [
        lookup({
          domain: `${index}.flood.example.org`,
          allowed: false,
          asker: ip(`198.18.0.${index % 100}`),
        }),
      ],
      1000,
    );
  }
  const tallies = journal.tallies(1000);
  assert.equal(tallies.filter(({ domain }) => domain !== othersLabel).length, 50_000);
});

test("what is reported as so many counts as so many, for a full network's others too", () => {
  const journal = createLookupJournal({ ttlSeconds: 3600, maxAskers: 1 });
  journal.record([lookup({ domain: "a.example.com", times: 3 })], 1000);
  journal.record([lookup({ domain: "a.example.com" })], 1000);
  journal.record([lookup({ domain: "b.example.com", asker: ip("198.18.0.3"), times: 5 })], 1000);
  assert.deepEqual(
    journal.tallies(1000).map(({ domain, count }) => [domain, count]),
    [
      ["a.example.com", 4],
      [othersLabel, 5],
    ],
  );
});
