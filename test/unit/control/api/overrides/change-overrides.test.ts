import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import {
  changeOverrides,
  type OverrideContext,
  type OverrideRequest,
} from "../../../../../src/control/api/overrides/change-overrides.ts";
import { createOverrides, reportOverrides } from "../../../../../src/control/overrides.ts";
import type { Classification } from "../../../../../src/core/classify/networks.ts";
import type { Container } from "../../../../../src/core/model/topology.ts";
import { parsePresetEntries } from "../../../../../src/core/policy/preset.ts";
import { createSets } from "../../../../../src/edge/kernel/ipset/desired-sets.ts";
import { epochMs } from "../../../../../src/edge/kernel/monotonic.ts";
import { DockerwallError, type ErrorCode } from "../../../../../src/errors.ts";
import { createFakeSets } from "../../../../support/fake-sets.ts";
import { presets } from "../../../../support/policies.ts";

const container = (name: string, id: string, ...networkIds: readonly string[]): Container => ({
  id: id.repeat(64).slice(0, 64),
  name,
  labels: {},
  running: true,
  networkMode: "",
  sandbox: undefined,
  configured: [],
  hazards: [],
  endpoints: networkIds.map((networkId) => ({ networkId, addresses: [], aliases: [], links: [] })),
});

const guarded = ["app", "both", "my net"].map((name) => ({ id: `id-${name}`, name }));
const topology = {
  networks: [],
  containers: [
    container("web", "abc1", "id-app"),
    container("db", "abc2", "id-app", "id-open"),
    container("both", "abc3", "id-both"),
    container("free", "abd4", "id-open"),
    container("app:1", "ffff", "id-app"),
    { ...container("tunnelled", "aaa1"), networkMode: `container:${"abc2".repeat(16)}` },
    { ...container("beside", "aaa2"), networkMode: `container:${"abd4".repeat(16)}` },
    { ...container("agent", "aaa3"), networkMode: "host" },
  ],
};

let context: OverrideContext;

beforeEach(() => {
  const sets = createFakeSets(() => 1_000_000);
  createSets(sets);
  context = {
    overrides: createOverrides({ sets, nowMs: () => 1_000_000 }),
    presets,
    topology,
    classification: { guarded } as unknown as Classification,
    uptimeMs: 1_000_000,
  };
});

/** Seconds from the moment of the context, of a moment in wall-clock time. */
function secondsFromStart(endsAtMs: number): number {
  return Math.round((endsAtMs - epochMs(1_000_000)) / 1000);
}

function change(verb: OverrideRequest["verb"], target: string, entries: string, forSeconds?: number): string {
  const found = changeOverrides({ verb, target, entries: [entries], forSeconds }, context);
  const { kind, name, overrides } = reportOverrides(found, context.overrides.current());
  return `${kind} ${name}: ${overrides.map(({ entry, endsAtMs }) => entry + (endsAtMs ? ` for ${secondsFromStart(endsAtMs)} s` : "")).join(" ")}`;
}

const made: readonly [verb: "allow" | "deny", target: string, entries: string, overrides: string][] = [
  ["allow", "app", "a.example.com", "network app: a.example.com"],
  ["allow", "network:app", "A.example.com.:0443", "network app: a.example.com:443"],
  ["allow", "web", "a.example.com", "container web: a.example.com"],
  ["allow", "container:web", "a.example.com, b.example.com", "container web: a.example.com b.example.com"],
  ["allow", "abc1", "a.example.com", "container web: a.example.com"],
  ["allow", "abc1".repeat(16), "a.example.com", "container web: a.example.com"],
  ["allow", "network:both", "a.example.com", "network both: a.example.com"],
  ["allow", "container:both", "a.example.com", "container both: a.example.com"],
  ["allow", "my net", "a.example.com", "network my net: a.example.com"],
  ["allow", "app:1", "a.example.com", "container app:1: a.example.com"],
  ["allow", "app", "@npm:443 203.0.113.7/24", "network app: @npm:443 203.0.113.0/24"],
  ["allow", "app", "bücher.example", "network app: xn--bcher-kva.example"],
  ["deny", "app", "*.example.com:80/tcp", "network app: !*.example.com:80/tcp"],
  ["deny", "db", "@debian host:22", "container db: !@debian !host:22"],
];

const refused: readonly [
  verb: OverrideRequest["verb"],
  target: string,
  entries: string,
  code: ErrorCode,
  problem: RegExp,
][] = [
  [
    "allow",
    "nothing",
    "a.example.com",
    "NOT_FOUND",
    /there is no guarded network or container "nothing"; see docker ps/,
  ],
  [
    "allow",
    "network:web",
    "a.example.com",
    "NOT_FOUND",
    /there is no guarded network "web"; see dockerwall status/,
  ],
  ["allow", "container:app", "a.example.com", "NOT_FOUND", /there is no container "app"/],
  ["allow", "ab", "a.example.com", "NOT_FOUND", /there is no guarded network or container "ab"/],
  [
    "allow",
    "free",
    "a.example.com",
    "NOT_FOUND",
    /container "free" is on no guarded network, so the override would have no effect; label its network/,
  ],
  [
    "deny",
    "tunnelled",
    "a.example.com",
    "NOT_FOUND",
    /container "tunnelled" uses the network of container "db", which has the overrides and labels for all that share it; name "db" in its place/,
  ],
  [
    "allow",
    "beside",
    "a.example.com",
    "NOT_FOUND",
    /container "beside" uses the network of container "free", which is on no guarded network, so the override would have no effect; label its network/,
  ],
  [
    "allow",
    "agent",
    "a.example.com",
    "NOT_FOUND",
    /container "agent" is on the host's own network, which is not guarded, so the override would have no effect; give it a network/,
  ],
  ["allow", "both", "a.example.com", "USAGE", /write network:both or container:both/],
  ["allow", "app", "", "USAGE", /allow needs an entry, as in api\.example\.com:443/],
  ["undo", "app", " , ", "USAGE", /undo needs an entry/],
  [
    "allow",
    "app",
    "ok.example.com !a.example.com",
    "BAD_ENTRY",
    /"!a\.example\.com": leave out the `!`; allow grants, deny takes away/,
  ],
  ["deny", "app", "!a.example.com", "BAD_ENTRY", /leave out the `!`/],
  [
    "deny",
    "app",
    "a.example.com *.Example.com@10.1.2.3/8:5432/tcp",
    "BAD_ENTRY",
    /deny app, entry "\*\.Example\.com@10\.1\.2\.3\/8:5432\/tcp": .* not both; deny \*\.example\.com:5432\/tcp or 10\.0\.0\.0\/8:5432\/tcp/,
  ],
  [
    "deny",
    "web",
    "a.example.com db:5432",
    "BAD_ENTRY",
    /deny web, entry "db:5432": a name of one label is a container's, and no entry keeps containers on one network apart; docker exec dockerwall quarantine db cuts that one off from everything$/,
  ],
  ["deny", "app", "a.example.com@2001:db8::/32", "BAD_ENTRY", /deny a\.example\.com or 2001:db8::\/32$/],
  ["undo", "app", "!a.example.com", "BAD_ENTRY", /leave out the `!`/],
  [
    "allow",
    "app",
    "* a..b",
    "BAD_ENTRY",
    /allow app: entry "\*" at column 1: .*\nallow app: entry "a\.\.b" at column 3: /,
  ],
  ["allow", "app", "@debain", "BAD_ENTRY", /did you mean @debian\?/],
  ["undo", "app", "a.example.com", "NOT_FOUND", /app has no override for "a\.example\.com"/],
  ["undo", "app", "a..b", "NOT_FOUND", /app has no override for "a\.\.b"/],
];

describe("changeOverrides", () => {
  for (const [verb, target, entries, overrides] of made)
    it(`${verb} ${target} ${entries}`, () => assert.equal(change(verb, target, entries), overrides));
  for (const [verb, target, entries, code, problem] of refused) {
    it(`refuses ${verb} ${target} ${entries}`, () => {
      assert.throws(
        () => change(verb, target, entries),
        (error) => error instanceof DockerwallError && error.code === code && problem.test(error.message),
      );
      assert.deepEqual(context.overrides.current(), []);
    });
  }
  it("for a while", () => {
    assert.equal(change("allow", "app", "a.example.com", 900), "network app: a.example.com for 900 s");
  });
  it("undo finds an override however it is written, and whatever it did", () => {
    change("allow", "app", "bücher.example:443");
    change("deny", "app", "203.0.113.7");
    assert.equal(change("undo", "app", "BÜCHER.example.:443 203.0.113.7/32"), "network app: ");
  });
  it("allows and takes back a name in a range", () => {
    assert.equal(
      change("allow", "app", "db.example.com@10.0.0.0/8:5432"),
      "network app: db.example.com@10.0.0.0/8:5432",
    );
    assert.equal(change("undo", "app", "DB.example.com@10.9.9.9/8:5432"), "network app: ");
  });
  it("undo takes back an override whose preset is gone from the policy file", () => {
    const own = parsePresetEntries("mirror", ["apt.example.org"]);
    assert.ok("entries" in own);
    context = { ...context, presets: new Map([["mirror", own.entries]]) };
    change("allow", "app", "@mirror");
    context = { ...context, presets };
    assert.equal(change("undo", "app", "@mirror"), "network app: ");
  });
});

describe("an override for a container that is gone, or was renamed", () => {
  beforeEach(() => {
    change("deny", "web", "a.example.com");
    change("allow", "web", "b.example.com");
    const containers = topology.containers.filter(({ name }) => name !== "web");
    context = { ...context, topology: { ...topology, containers } };
  });

  for (const target of ["web", "container:web"]) {
    it(`is taken back by the name that it was made for (${target})`, () => {
      assert.equal(change("undo", target, "a.example.com"), "container web: b.example.com");
    });
  }

  it("is not found by another kind, and is not made anew", () => {
    assert.throws(() => change("undo", "network:web", "a.example.com"), { code: "NOT_FOUND" });
    assert.throws(() => change("deny", "web", "c.example.com"), { code: "NOT_FOUND" });
  });
});

describe("an override whose target is gone while something of the other kind has its name", () => {
  const withNetwork = (name: string) =>
    ({ guarded: [...guarded, { id: `id-${name}`, name }] }) as unknown as Classification;

  it("of a container is taken back beside a network", () => {
    change("deny", "web", "a.example.com");
    const containers = topology.containers.filter(({ name }) => name !== "web");
    context = { ...context, topology: { ...topology, containers }, classification: withNetwork("web") };
    assert.equal(change("undo", "web", "a.example.com"), "container web: ");
  });

  it("of a network is taken back beside a container", () => {
    change("deny", "app", "a.example.com");
    const containers = [...topology.containers, container("app", "eee1", "id-both")];
    const others = { guarded: guarded.filter(({ name }) => name !== "app") } as unknown as Classification;
    context = { ...context, topology: { ...topology, containers }, classification: others };
    for (const target of ["app", "network:app"]) {
      assert.equal(change("undo", target, "a.example.com"), "network app: ");
      context.overrides.add([
        { target: { kind: "network", name: "app" }, entry: "!a.example.com", endsAtMs: undefined },
      ]);
    }
  });

  it("leaves what the other one has to be taken back by the same name", () => {
    change("deny", "web", "a.example.com");
    const containers = topology.containers.filter(({ name }) => name !== "web");
    context = { ...context, topology: { ...topology, containers }, classification: withNetwork("web") };
    change("allow", "web", "b.example.com");
    assert.equal(change("undo", "web", "b.example.com"), "network web: ");
    assert.equal(change("undo", "web", "a.example.com"), "container web: ");
    assert.throws(() => change("undo", "web", "a.example.com"), { code: "NOT_FOUND" });
  });
});
