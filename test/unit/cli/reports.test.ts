import assert from "node:assert/strict";
import { test } from "node:test";
import { renderStats } from "../../../src/cli/commands/stats.ts";
import { renderStatus } from "../../../src/cli/commands/status.ts";
import type { CountedWords, CounterReading } from "../../../src/core/counters/reading.ts";
import type { DropRow, LookupRow, StatsReport } from "../../../src/core/model/report/stats.ts";
import type { StatusReport } from "../../../src/core/model/report/status.ts";

const nowMs = 1_000_000_000;

function lookup(row: Partial<LookupRow>): LookupRow {
  return {
    address: "198.18.1.2",
    container: "app-1",
    domain: "api.github.com",
    allowed: true,
    count: 1,
    lastSeenMs: nowMs - 12_000,
    ...row,
  };
}

function drop(row: Partial<DropRow>): DropRow {
  return {
    address: "198.18.1.2",
    container: "app-1",
    destination: "203.0.113.66",
    service: "tcp:443",
    packets: 5,
    bytes: 300,
    lastSeenMs: nowMs - 42_000,
    domain: undefined,
    ...row,
  };
}

function stats(...networks: StatsReport["networks"]): StatsReport {
  return { generatedAtMs: nowMs, networks };
}

interface Case {
  readonly name: string;
  readonly report: StatsReport;
  readonly lines: readonly string[];
}

const cases: readonly Case[] = [
  {
    name: "no network",
    report: stats(),
    lines: ["No network is guarded. Give one the label dockerwall.allow, or use dockerwall prepare-network."],
  },
  {
    name: "a quiet network",
    report: stats({ mode: "enforce", network: "app", subnets: ["198.18.1.0/24"], lookups: [], drops: [] }),
    lines: ["Network: app (198.18.1.0/24)", "  no activity yet"],
  },
  {
    name: "allowed and blocked rows apart, and blocked connections",
    report: stats(
      {
        mode: "enforce",
        network: "app",
        subnets: ["198.18.1.0/24", "2001:db8:1::/64"],
        lookups: [
          lookup({ count: 120 }),
          lookup({ allowed: false, lastSeenMs: nowMs - 180_000 }),
          lookup({ address: "198.18.1.10", container: undefined, domain: "example.com", lastSeenMs: nowMs }),
        ],
        drops: [
          drop({}),
          drop({
            service: "icmp:echo-request",
            packets: 1,
            destination: "198.51.100.7",
            domain: "old.example.com",
          }),
        ],
      },
      {
        mode: "enforce",
        network: "db",
        subnets: ["198.18.2.0/24"],
        lookups: [],
        drops: [drop({ container: undefined })],
      },
    ),
    lines: [
      "Network: app (198.18.1.0/24, 2001:db8:1::/64)",
      "  198.18.1.2   app-1  api.github.com  120 ✅  12s ago",
      "  198.18.1.2   app-1  api.github.com    1 ❌   3m ago",
      "  198.18.1.10  -      example.com       1 ✅   0s ago",
      "  Blocked connections:",
      "  198.18.1.2  app-1  tcp:443            203.0.113.66  5 packets  42s ago  no lookup",
      "  198.18.1.2  app-1  icmp:echo-request  198.51.100.7   1 packet  42s ago  old.example.com",
      "",
      "Network: db (198.18.2.0/24)",
      "  Blocked connections:",
      "  198.18.1.2  -  tcp:443  203.0.113.66  5 packets  42s ago  no lookup",
    ],
  },
  {
    name: "allowed names that opened nothing",
    report: stats({
      mode: "enforce",
      network: "app",
      subnets: [],
      lookups: [
        lookup({ count: 2 }),
        lookup({ allowed: false, trouble: "private" }),
        lookup({ allowed: false, trouble: "failed" }),
      ],
      drops: [],
    }),
    lines: [
      "Network: app ()",
      "  198.18.1.2  app-1  api.github.com  2 ✅  12s ago",
      "  198.18.1.2  app-1  api.github.com  1 ❌  12s ago  leads only to private addresses or to this host",
      "  198.18.1.2  app-1  api.github.com  1 ❌  12s ago  lookup failed",
    ],
  },
  {
    name: "containers that are gone, and types that are not served",
    report: stats({
      mode: "enforce",
      network: "app",
      subnets: [],
      lookups: [lookup({ gone: true }), lookup({ type: "TXT", allowed: false, trouble: "type" })],
      drops: [drop({ gone: true }), drop({})],
    }),
    lines: [
      "Network: app ()",
      "  198.18.1.2  app-1 (gone)  api.github.com      1 ✅  12s ago",
      "  198.18.1.2  app-1         api.github.com TXT  1 ❌  12s ago  this type is not served",
      "  Blocked connections:",
      "  198.18.1.2  app-1 (gone)  tcp:443  203.0.113.66  5 packets  42s ago  no lookup",
      "  198.18.1.2  app-1         tcp:443  203.0.113.66  5 packets  42s ago  no lookup",
    ],
  },
  {
    name: "names that attack the terminal",
    report: stats({
      mode: "enforce",
      network: "app",
      subnets: [],
      lookups: [lookup({ container: "x\x1b[2J", domain: "a\u202eb c.example.org", allowed: false })],
      drops: [],
    }),
    lines: ["Network: app ()", "  198.18.1.2  x\\x1b[2J  a\\u{202e}b\\x20c.example.org  1 ❌  12s ago"],
  },
];

for (const { name, report, lines } of cases) {
  test(`stats: ${name}`, () => assert.equal(renderStats(report, false), `${lines.join("\n")}\n`));
}

test("stats: what holds a connection, where that is more than that no entry covers it", () => {
  const drops = [
    drop({ domain: "www.example.com", now: { verdict: "dropped", step: "port" } }),
    drop({ now: { verdict: "dropped", step: "no-entry" } }),
    drop({ domain: "www.example.com", now: { verdict: "passes", step: "entry" } }),
    drop({ now: { verdict: "passes", step: "entry" } }),
    drop({ domain: "www.example.com", now: { verdict: "dropped", step: "no-lookup", advice: "look it up" } }),
    drop({
      domain: "www.example.com",
      now: { verdict: "dropped", step: "no-lookup", advice: "look it up", lookedUpMs: nowMs - 720_000 },
    }),
    drop({ now: { verdict: "dropped", step: "other-list", advice: "send by back" } }),
    drop({
      now: {
        ...{ verdict: "dropped", step: "no-entry" },
        lookedUpBy: { container: "dns", name: "www.example.com" },
      },
    }),
  ];
  const report = stats({ mode: "enforce", network: "app", subnets: [], lookups: [], drops });
  assert.deepEqual(
    renderStats(report, false)
      .split("\n")
      .flatMap((line) => /ago +(.*)$/.exec(line)?.[1] ?? []),
    [
      "www.example.com; its name is allowed, but not with this port",
      "no lookup",
      "www.example.com; it would pass by now",
      "no lookup; it would pass by now",
      "www.example.com; allowed by now, once it is looked up",
      "www.example.com; its name is allowed, but no recent lookup has opened it (the last was 12m ago): look it up",
      "no lookup; it leaves by app, whose entries do not cover it; those of another network of the container do: send by back",
      "no lookup; dns on the same network looked it up as www.example.com, and a lookup opens addresses only for the container whose it is: let this one ask Docker's resolver (127.0.0.11), or name dns in dockerwall.upstream of the network and give it a network of its own",
    ],
  );
});

test("stats: styles only where they are wanted", () => {
  const report = stats({ mode: "enforce", network: "app", subnets: [], lookups: [], drops: [] });
  assert.ok(renderStats(report, true).includes("\x1b["));
  assert.ok(!renderStats(report, false).includes("\x1b["));
});

const enforcing: StatusReport = {
  state: "enforcing",
  healthy: true,
  held: [],
  version: "0.1.0",
  sinceMs: nowMs - 3_700_000,
  startedMs: nowMs - 172_900_000,
  engine: { version: "28.5.2", apiVersion: "1.51" },
  backend: "nft",
  capture: { sandboxes: 1, problem: undefined },
  resolver: undefined,
  counters: [],
  networks: [
    {
      name: "app",
      id: "0123",
      bridge: "br-0123",
      subnets: ["198.18.1.0/24"],
      state: "enforced",
      entries: 2,
      lists: [
        { place: "label dockerwall.allow", entries: ["*.example.com", "api.github.com:443"], count: 2 },
      ],
      mode: "enforce",
      labels: [],
      sinceMs: nowMs - 60_000,
      problems: [],
    },
  ],
  containers: [],
  overrides: [],
  quarantined: [],
  problems: [],
  warnings: [],
};

function counted(value: number, words: CountedWords, label?: string): CounterReading {
  return {
    name: words.one.replaceAll(" ", "_"),
    label: label === undefined ? undefined : { name: "family", value: label },
    help: "",
    words,
    value,
  };
}

const statuses: readonly {
  readonly name: string;
  readonly report: StatusReport;
  readonly lines: readonly string[];
}[] = [
  {
    name: "all is well",
    report: enforcing,
    lines: [
      "dockerwall 0.1.0: enforcing for 1h, up 2d",
      "Engine:  28.5.2 (API 1.51)",
      "Rules:   iptables-nft",
      "Capture: gateway and 1 sandbox",
      "",
      "Network: app (198.18.1.0/24)",
      "  enforced for 1m, bridge br-0123",
      "  label dockerwall.allow: *.example.com api.github.com:443",
    ],
  },
  {
    name: "every list, with its place, and one that is too long to show",
    report: {
      ...enforcing,
      networks: enforcing.networks.map((network) => ({
        ...network,
        lists: [
          { place: "label dockerwall.allow", entries: ["a.example.com"], count: 1, kept: true },
          {
            place: "policy file",
            entries: Array.from({ length: 100 }, (_, n) => `h${n}.example.com`),
            count: 500,
          },
        ],
      })),
      containers: [
        {
          name: "shop-worker-1",
          lists: [{ place: "label dockerwall.allow", entries: ["!b.example.com"], count: 1 }],
        },
        { name: "web", lists: [{ place: "label dockerwall.allow", entries: [], count: 0, closes: true }] },
        { name: "job", lists: [{ place: "policy file", entries: [], count: 0 }] },
      ],
    },
    lines: [
      "dockerwall 0.1.0: enforcing for 1h, up 2d",
      "Engine:  28.5.2 (API 1.51)",
      "Rules:   iptables-nft",
      "Capture: gateway and 1 sandbox",
      "",
      "Network: app (198.18.1.0/24)",
      "  enforced for 1m, bridge br-0123",
      "  label dockerwall.allow, as it was before: a.example.com",
      `  policy file: ${Array.from({ length: 20 }, (_, n) => `h${n}.example.com`).join(" ")} … 500 in all`,
      "",
      "Container: shop-worker-1",
      "  label dockerwall.allow: !b.example.com",
      "",
      "Container: web",
      "  label dockerwall.allow: cannot be read, so nothing at all is allowed",
      "",
      "Container: job",
      "  policy file: nothing",
    ],
  },
  {
    name: "one sandbox of two that cannot be captured",
    report: {
      ...enforcing,
      capture: {
        sandboxes: 1,
        problem: "the lookups of 1 container(s) cannot be captured, sandbox 5a4d: why",
      },
      networks: [],
    },
    lines: [
      "dockerwall 0.1.0: enforcing for 1h, up 2d",
      "Engine:  28.5.2 (API 1.51)",
      "Rules:   iptables-nft",
      "Capture: gateway and 1 sandbox; the lookups of 1 container(s) cannot be captured, sandbox 5a4d: why",
      "",
      "No network carries the label dockerwall.allow.",
    ],
  },
  {
    name: "problems everywhere",
    report: {
      ...enforcing,
      state: "degraded",
      backend: "legacy",
      engine: undefined,
      capture: { sandboxes: 0, problem: "no dockerd process is visible" },
      problems: ["the engine does not answer"],
      networks: [
        {
          name: "mac\x1bvlan",
          id: "4567",
          bridge: undefined,
          subnets: [],
          state: "refused",
          entries: 0,
          lists: [],
          mode: "enforce",
          labels: [],
          sinceMs: nowMs,
          problems: ['network "mac\\u001bvlan" has driver macvlan'],
        },
      ],
    },
    lines: [
      "dockerwall 0.1.0: degraded for 1h, up 2d",
      "Engine:  not reached yet",
      "Rules:   iptables-legacy",
      "Capture: gateway only: no dockerd process is visible",
      "Problem: the engine does not answer",
      "",
      "Network: mac\\x1bvlan ()",
      "  refused for 0s, no bridge",
      '  Problem: network "mac\\u001bvlan" has driver macvlan',
    ],
  },
  {
    name: "what the resolver does, and what has been counted",
    report: {
      ...enforcing,
      networks: [],
      resolver: { running: 3, waiting: 0 },
      counters: [
        counted(1, { one: "stray message", many: "stray messages" }),
        counted(0, { one: "refused grant", many: "refused grants" }),
        counted(2, { one: "time rules put right", many: "times rules put right" }, "IPv6"),
        counted(3, { one: "odd\x1bword", many: "odd\x1bwords" }),
      ],
    },
    lines: [
      "dockerwall 0.1.0: enforcing for 1h, up 2d",
      "Engine:  28.5.2 (API 1.51)",
      "Rules:   iptables-nft",
      "Capture: gateway and 1 sandbox",
      "Lookups: 3 under way, 0 waiting",
      "Counted: 1 stray message, 2 times rules put right (IPv6), 3 odd\\x1bwords",
      "",
      "No network carries the label dockerwall.allow.",
    ],
  },
  {
    name: "what was changed by command, and an audited network",
    report: {
      ...enforcing,
      networks: enforcing.networks.map((network) => ({
        ...network,
        mode: "audit" as const,
        labels: ["a denied connection fails at once", "also serves TXT, x\x1b[2J"],
      })),
      quarantined: ["web", "x\x1b[2J"],
      overrides: [
        {
          kind: "network",
          name: "app",
          overrides: [
            { entry: "0.0.0.0/0", endsAtMs: undefined },
            { entry: "!api.example.com", endsAtMs: nowMs + 840_000 },
          ],
        },
        { kind: "container", name: "web", overrides: [{ entry: "host:22", endsAtMs: undefined }] },
      ],
    },
    lines: [
      "dockerwall 0.1.0: enforcing for 1h, up 2d",
      "Engine:  28.5.2 (API 1.51)",
      "Rules:   iptables-nft",
      "Capture: gateway and 1 sandbox",
      "Cut off: web, in quarantine; dockerwall release lets it out",
      "Cut off: x\\x1b[2J, in quarantine; dockerwall release lets it out",
      "",
      "Network: app (198.18.1.0/24)",
      "  audited (everything passes) for 1m, bridge br-0123",
      "  label dockerwall.allow: *.example.com api.github.com:443",
      "  a denied connection fails at once",
      "  also serves TXT, x\\x1b[2J",
      "",
      "Overrides for network app:",
      "  allow 0.0.0.0/0",
      "  deny api.example.com, for 14m more",
      "",
      "Overrides for container web:",
      "  allow host:22",
    ],
  },
  {
    name: "nothing to guard",
    report: { ...enforcing, networks: [] },
    lines: [
      "dockerwall 0.1.0: enforcing for 1h, up 2d",
      "Engine:  28.5.2 (API 1.51)",
      "Rules:   iptables-nft",
      "Capture: gateway and 1 sandbox",
      "",
      "No network carries the label dockerwall.allow.",
    ],
  },
];

for (const { name, report, lines } of statuses) {
  test(`status: ${name}`, () => assert.equal(renderStatus(report, nowMs, false), `${lines.join("\n")}\n`));
}
