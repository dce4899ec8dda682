// Whose needs `suggest` finds: services of Compose, containers, those that are gone, and what overrides allow; and what
// `replay` says of labels that are not in force.

import assert from "node:assert/strict";
import { test } from "node:test";
import { renderSuggestion } from "../../../../src/cli/commands/suggest.ts";
import type { InForce } from "../../../../src/control/api/context/in-force.ts";
import { replayOn } from "../../../../src/control/api/replay.ts";
import { type SuggestionSources, suggestFor } from "../../../../src/control/api/suggest.ts";
import type { ClassifiedNetwork } from "../../../../src/core/classify/networks.ts";
import { setSpecs } from "../../../../src/core/firewall/sets.ts";
import type { DeniedRecord } from "../../../../src/core/journal/denied-record.ts";
import type { LookupTally } from "../../../../src/core/journal/lookups.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import { createFakeSets } from "../../../support/fake-sets.ts";
import { listOf, presets } from "../../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../../support/topologies.ts";

const app = {
  ...bridgeNetwork("app", "198.18.1.0/24"),
  labels: { "dockerwall.allow": "www.example.com", "com.docker.compose.network": "back" },
};
const label = { ...listOf("www.example.com"), source: 'network "app", label dockerwall.allow' };
const override = { ...listOf("made.example.com"), source: 'network "app", command made.example.com' };
const network: ClassifiedNetwork = { ...guardedNetwork(app), bridge: "br-app", lists: [label, override] };

const service = (id: string, address: string, name: string): Container => ({
  ...runningContainer(id, "app", address),
  labels: { "com.docker.compose.project": "shop", "com.docker.compose.service": name },
});
const containers = [
  service("shop-web-1", "198.18.1.2", "web"),
  service("shop-web-2", "198.18.1.3", "web"),
  runningContainer("tool", "app", "198.18.1.4"),
];

const inForce: InForce = {
  topology: { networks: [app], containers },
  classification: {
    ...{
      guarded: [network],
      within: [],
      openBridges: [],
      enslaved: new Set(),
      held: [],
      refused: [],
      problems: new Map(),
      warnings: [],
    },
    containers: {
      services: [],
      published: [],
      guardedAddresses: [],
      unguarded: [],
      quarantined: [],
      problems: [],
      warnings: [],
    },
  },
  quarantine: new Set(),
  presets,
  uptimeMs: 0,
};

const asked = (id: string | undefined, domain: string): LookupTally => ({
  ...{ networkId: "app", asker: "198.18.1.9", container: id === undefined ? undefined : { id, name: id } },
  ...{
    domain,
    type: undefined,
    allowed: ["made.example.com", "www.example.com"].includes(domain),
    trouble: undefined,
    count: 1,
  },
  ...{ lastSeenMs: 0, granted: [], refused: [], mayExist: true },
});
const tried = (id: string, port: number): DeniedRecord => ({
  ...{ asker: "198.18.1.9" as IpAddress, destination: "203.0.113.9" as IpAddress, protocol: 6, port },
  ...{ packets: 1, bytes: 40, lastSeenMs: 0, domains: [] },
  owner: { name: id, containerId: id.slice(0, 12), networkId: "app" },
});

function sourcesOf(lookups: readonly LookupTally[], denied: readonly DeniedRecord[]): SuggestionSources {
  const sets = createFakeSets(() => 0);
  for (const spec of setSpecs()) sets.create(spec);
  return {
    sets,
    hostAddresses: () => [],
    bridgesFiltered: () => true,
    notForwarded: () => [],
    portProxies: () => undefined,
    history: {
      sinceMs: (id) => (id === "app" ? 0 : assert.fail(id)),
      lookups: () => lookups,
      denied: () => denied,
      holderOf: () => undefined,
      namesOf: () => new Map(),
      isGone: (id) => !containers.some((container) => container.id.startsWith(id)),
    },
  };
}

const sources = sourcesOf(
  [
    asked("shop-web-1", "one.example.com"),
    asked("shop-web-2", "two.example.com"),
    asked("shop-web-2", "both.example.com"),
    asked("tool", "both.example.com"),
    asked("tool", "made.example.com"),
    asked("tool", "www.example.com"),
    asked("job", "gone.example.com"),
    asked(undefined, "nobody.example.com"),
  ],
  [tried("tool", 443), tried("job", 22)],
);

test("suggest: what all need for the network, the rest for each service or container", async () => {
  const report = await suggestFor({ network: "app" }, inForce, sources);
  assert.equal(
    renderSuggestion(report, true, report.sinceMs + 60_000),
    `# Added, as seen since 1m ago: both.example.com made.example.com 203.0.113.9:443/tcp one.example.com two.example.com
# Note: no connection was seen to both.example.com, made.example.com: every port is open as printed; add those that are needed
# Note: no connection was seen to both.example.com, one.example.com, two.example.com: every port is open as printed; add those that are needed
services:
  tool: # not made by Compose: a label of docker run
    labels:
      dockerwall.allow: >-
        made.example.com
        203.0.113.9:443/tcp
  web:
    labels:
      dockerwall.allow: >-
        one.example.com
        two.example.com
networks:
  back:
    labels:
      dockerwall.allow: >-
        www.example.com
        both.example.com
# Left out: containers that were never known: they came and went too fast
# Left out: container job: it is gone; --gone includes it
# Every entry was used since 1m ago.
`,
  );
});

test("suggest: a label without entries has none that was used", async () => {
  const report = await suggestFor({ network: "app" }, inForce, sources);
  const shown = renderSuggestion({ ...report, present: " ", unused: [] }, true, report.sinceMs);
  assert.match(shown, /\n# The network's label has no entries\.\n$/);
});

test("suggest: with those that are gone", async () => {
  const { containers: own, leftOut } = await suggestFor({ network: "app", gone: true }, inForce, sources);
  assert.deepEqual(own.find(({ name }) => name === "job")?.added, ["gone.example.com", "203.0.113.9:22/tcp"]);
  assert.ok(!leftOut.some(({ what }) => what === "container job"));
});

test("suggest: a label that lacks nothing is printed as it is", async () => {
  const own = {
    ...runningContainer("own", "app", "198.18.1.5"),
    labels: { "dockerwall.allow": "own.example.com" },
  };
  const topology = { networks: [app], containers: [...containers, own] };
  const report = await suggestFor({ network: "app" }, { ...inForce, topology }, sourcesOf([], []));
  assert.deepEqual(report.containers, [
    { name: "own", isService: false, present: "own.example.com", added: [] },
  ]);
});

test("suggest: a label that cannot be read is printed with what is wrong with it", async () => {
  const bad = { ...app, labels: { ...app.labels, "dockerwall.allow": "*", "dockerwall.types": "A B" } };
  const own = { ...runningContainer("own", "app", "198.18.1.5"), labels: { "dockerwall.allow": "www." } };
  const topology = { networks: [bad], containers: [own] };
  const report = await suggestFor({ network: "app" }, { ...inForce, topology }, sourcesOf([], []));
  const [allow = "", types = "", container = "", ...others] = report.notes;
  assert.match(
    allow,
    /^network "app", label dockerwall.allow: entry "\*" at column 1: .*; the label is printed/,
  );
  assert.match(
    types,
    /^network "app", label dockerwall.types: entry "B" at column 3: .*; the label is printed/,
  );
  assert.match(
    container,
    /^container "own", label dockerwall.allow: entry "www." at column 1: .*; the label/,
  );
  assert.deepEqual(others, []);
  assert.equal(report.present, "*");
});

test("suggest: a policy file that closes everything is told, and hides no need", async () => {
  const closing = { ...listOf(""), source: "policy file", closes: true, unread: "policy file /p: it is bad" };
  const { classification } = inForce;
  const guarded = classification.guarded.map((each) => ({ ...each, lists: [...each.lists, closing] }));
  const closed = { ...inForce, classification: { ...classification, guarded } };
  const suggested = async (within: InForce) => suggestFor({ network: "app" }, within, sources);
  const [open, report] = [await suggested(inForce), await suggested(closed)];
  assert.deepEqual([report.added, report.containers], [open.added, open.containers]);
  assert.ok(open.added.length > 0);
  assert.deepEqual(report.notes, [
    "policy file /p: it is bad; nothing is allowed until you correct that",
    ...open.notes,
  ]);
});

test("suggest: types of records are printed beside the entries, those that the label has too", async () => {
  const typed = { ...app, labels: { ...app.labels, "dockerwall.types": "NAPTR" } };
  const guarded = [{ ...network, labels: { ...network.labels, types: [35] } }];
  const withTypes: InForce = {
    ...inForce,
    topology: { networks: [typed], containers: containers.slice(2) },
    classification: { ...inForce.classification, guarded },
  };
  const asks = (type: string): LookupTally => ({ ...asked("tool", "www.example.com"), type });
  const printed = async (...types: readonly string[]): Promise<string> => {
    const report = await suggestFor({ network: "app" }, withTypes, sourcesOf(types.map(asks), []));
    return renderSuggestion(report, false, 0).split("www.example.com\n")[1] ?? "";
  };
  assert.equal(await printed("NAPTR", "TXT"), "      dockerwall.types: >-\n        NAPTR\n");
  assert.equal(await printed("SSHFP"), "      dockerwall.types: >-\n        NAPTR\n        SSHFP\n");
});

/** What would be allowed that is not, and the other way round. */
async function changes(allow: string | undefined, ...own: string[]): Promise<string[]> {
  const { rows } = await replayOn({ network: "app", allow, own }, inForce, sources);
  return rows
    .filter(({ now, after }) => now !== after)
    .map(({ container, what, after }) => `${after ? "+" : "-"} ${container} ${what}`)
    .toSorted();
}

test("replay: labels of the network and of containers, of all containers of a service", async () => {
  assert.deepEqual(await changes("www.example.com both.example.com"), [
    "+ shop-web-2 both.example.com",
    "+ tool both.example.com",
  ]);
  assert.deepEqual(await changes(undefined, "web=one.example.com both.example.com", "tool=203.0.113.9:443"), [
    "+ shop-web-1 one.example.com",
    "+ shop-web-2 both.example.com",
    "+ tool 203.0.113.9 tcp:443",
  ]);
  assert.deepEqual(await changes("", "shop-web-1=one.example.com"), [
    "+ shop-web-1 one.example.com",
    "- tool www.example.com",
  ]);
});

const madeAnew = sourcesOf(
  [
    { ...asked("shop-web-1", "one.example.com"), container: { id: "former-1", name: "shop-web-1" } },
    { ...asked("shop-web-7", "one.example.com"), container: { id: "former-7", name: "shop-web-7" } },
    {
      ...asked("shop-web-2", "one.example.com"),
      container: { id: "former-2", name: "0123456789ab_shop-web-2" },
    },
    asked("job", "one.example.com"),
    asked("shop-web-x-1", "one.example.com"),
  ],
  [],
);

test("replay: a service's label, for its containers that are gone, too", async () => {
  const tried = async (own: readonly string[], within = inForce) => {
    const { rows, warnings } = await replayOn({ network: "app", own }, within, madeAnew);
    return [
      ...rows.map(({ container, gone, after }) => `${after ? "+" : "-"} ${container} ${gone}`).toSorted(),
      ...warnings,
    ];
  };
  const unknown =
    "containers that are gone are judged without labels of their own, as those that they had are not known any more: job, shop-web-x-1";
  assert.deepEqual(await tried(["web=one.example.com"]), [
    "+ 0123456789ab_shop-web-2 true",
    "+ shop-web-1 true",
    "+ shop-web-7 true",
    "- job true",
    "- shop-web-x-1 true",
    unknown,
  ]);
  // What is tried for one of several need not be meant for another that is gone.
  assert.deepEqual(await tried(["shop-web-1=one.example.com"]), [
    "+ shop-web-1 true",
    "- 0123456789ab_shop-web-2 true",
    "- job true",
    "- shop-web-7 true",
    "- shop-web-x-1 true",
    unknown.replace("shop-web-x-1", "shop-web-7, shop-web-x-1"),
  ]);
});

test("replay: labels that are not named count as they are, for those that are gone, too", async () => {
  const own = { ...listOf("one.example.com"), source: 'container "shop-web-1", label dockerwall.allow' };
  const services = [{ containerId: "shop-web-1", name: "shop-web-1", addresses: [], lists: [own] }];
  const { classification } = inForce;
  const within = {
    ...inForce,
    classification: { ...classification, containers: { ...classification.containers, services } },
  };
  const { rows } = await replayOn({ network: "app", allow: "" }, within, madeAnew);
  const allowed = rows.filter(({ after }) => after).map(({ container }) => container);
  assert.deepEqual(allowed, ["shop-web-1"]);
});

test("replay: what the labels change is told from what has changed without them", async () => {
  const before = (domain: string, allowed: boolean): LookupTally => ({ ...asked("tool", domain), allowed });
  const seen = sourcesOf(
    [
      before("made.example.com", false),
      before("lost.example.com", true),
      before("www.example.com", true),
      before("new.example.com", false),
    ],
    [],
  );
  const { rows } = await replayOn({ network: "app", allow: "new.example.com" }, inForce, seen);
  assert.deepEqual(
    rows.map((row) => [row.what, row.before, row.now, row.after]),
    [
      ["new.example.com", false, false, true],
      ["www.example.com", true, true, false],
      ["lost.example.com", true, false, false],
      ["made.example.com", false, true, true],
    ],
  );
});

test("replay: what is to be known of the labels to try", async () => {
  const tried = (allow: string | undefined, ...own: string[]) =>
    replayOn({ network: "app", allow, own }, inForce, sources);
  assert.deepEqual((await tried("*.co.uk", "web=*.github.io")).warnings, [
    '--allow: entry "*.co.uk" covers names that anyone can register below co.uk; name only those you need',
    'web: entry "*.github.io" covers names that anyone can register below github.io; name only those you need',
    "containers that are gone are judged without labels of their own, as those that they had are not known any more: job",
  ]);
  await assert.rejects(() => tried("*"), /--allow: entry "\*" at column 1/);
  await assert.rejects(() => tried(undefined, "web=*"), /web: entry "\*" at column 1/);
  await assert.rejects(() => tried(undefined, "web"), /write CONTAINER=ENTRIES/);
  await assert.rejects(
    () => tried(undefined, "wbe=www.example.com"),
    /there is no container or service "wbe"; did you/,
  );
});

test("replay: a container that uses the network of another has the label of that one", async () => {
  const holder = containers[2] ?? assert.fail();
  const joined: Container = {
    ...runningContainer("job", "app", "198.18.1.9"),
    ...{ endpoints: [], networkMode: `container:${holder.id}` },
  };
  const topology = { ...inForce.topology, containers: [...containers, joined] };
  await assert.rejects(
    () => replayOn({ network: "app", own: ["job=a.example.com"] }, { ...inForce, topology }, sources),
    {
      code: "NOT_FOUND",
      message:
        'container "job" uses the network of container "tool", which has the label for all that share it; name "tool" in its place',
    },
  );
});

test("replay: a container has one label, and two are not tried as one of them", async () => {
  const tried = (...own: readonly string[]) => replayOn({ network: "app", own }, inForce, sources);
  const refused = { code: "USAGE", message: /container "shop-web-1" .*"web=a\.example\.com" and "/ };
  await assert.rejects(() => tried("web=a.example.com", "web=b.example.com"), refused);
  await assert.rejects(() => tried("web=a.example.com", "shop-web-1=b.example.com"), refused);
  await assert.doesNotReject(() => tried("shop-web-1=a.example.com", "shop-web-2=b.example.com"));
});

test("an update is nothing that an entry for its zone lets pass, or has let pass", async () => {
  const update = { ...asked("tool", "www.example.com"), allowed: false, trouble: "no-query" } as const;
  const other = { ...update, domain: "other.example.com" };
  const updates = sourcesOf([update, other], []);
  const { added, containers: own, leftOut, unused } = await suggestFor({ network: "app" }, inForce, updates);
  assert.deepEqual([added, own], [[], []]);
  const why = "an update or a notice is no query; write an entry for its server with port 53";
  assert.deepEqual(leftOut, [
    { what: "other.example.com", why },
    { what: "www.example.com", why },
  ]);
  assert.deepEqual(unused, ["www.example.com"]);
  const { rows } = await replayOn(
    { network: "app", allow: "*.example.com www.example.com" },
    inForce,
    updates,
  );
  assert.deepEqual(
    rows.map(({ what, before, after, why: reason }) => [what, before, after, reason]),
    [
      ["other.example.com", false, false, why],
      ["www.example.com", false, false, why],
    ],
  );
});
