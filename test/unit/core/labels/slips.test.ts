// `status`, `doctor` and the log name a label that does not exist, or counts for nothing where it stands, with its
// place and the fix. It changes nothing of what is guarded, and keeps no container from starting.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { command } from "../../../../src/cli/commands/status.ts";
import { examineHost } from "../../../../src/control/api/doctor.ts";
import { createHistory } from "../../../../src/control/history/history.ts";
import { createLifecycle } from "../../../../src/control/lifecycle.ts";
import { createReporter } from "../../../../src/control/reporter.ts";
import { nothingFound } from "../../../../src/core/classify/bridge-ports.ts";
import { onlyLabels } from "../../../../src/core/classify/gather.ts";
import { type Classification, classify } from "../../../../src/core/classify/networks.ts";
import { setSpecs } from "../../../../src/core/firewall/sets.ts";
import { findSlips } from "../../../../src/core/labels/slips.ts";
import { keysOn, labelName } from "../../../../src/core/labels/table.ts";
import type { Container, Network, Topology } from "../../../../src/core/model/topology.ts";
import { createListStore } from "../../../../src/core/policy/list-store.ts";
import { createControlServer } from "../../../../src/edge/control-socket/server.ts";
import { createFakeSets } from "../../../support/fake-sets.ts";
import { presets } from "../../../support/policies.ts";
import { bridgeNetwork, newContainer, runningContainer } from "../../../support/topologies.ts";

type Written = Readonly<Record<string, string>>;

const networkOf = (labels: Written): Network => ({ ...bridgeNetwork("app", "198.19.1.0/24"), labels });
const web = (labels: Written): Container => ({ ...runningContainer("web", "app", "198.19.1.2"), labels });
const guarding = { "dockerwall.allow": "www.example.com" };

function classified(topology: Topology): Classification {
  return classify({
    topology,
    bridges: topology.networks.flatMap(({ bridge }) => bridge ?? []),
    policy: onlyLabels(createListStore(presets), 0),
    foreign: new Set(),
    lost: new Set(),
    foundOn: () => nothingFound,
    held: [],
    quarantine: new Set(),
  });
}

const saidOf = ({ problems, containers }: Classification): string[] => [
  ...[...problems.values()].flat(),
  ...containers.problems,
];

const namesOfNetworks = keysOn("network").map(labelName).join(", ");

/** Of other software, among them what begins like our name or ends like a label of ours. */
const softwareLabels = [
  "com.docker.compose.project",
  "com.docker.compose.network.mode",
  "com.docker.network.bridge.name",
  "com.docker.swarm.mode",
  "com.docker.swarm.types",
  "com.docker.stack.namespace",
  "com.docker.extension.publisher-url",
  "com.docker.desktop.allow",
  "com.docker.volume.mode",
  "desktop.docker.io/binds/0/Source",
  "org.opencontainers.image.title",
  "org.label-schema.name",
  "org.dockerproject.allow",
  "docker-compose.mode",
  "docker.allow",
  "docker.mode",
  "docker.deny",
  "docker.group.allow",
  "docker.label.mode",
  "docker.network.mode",
  "docker-gen.upstream",
  "docker-proxy.upstream",
  "docker-volume-backup.stop-during-backup",
  "docker-volume-backup.mode",
  "docker-volume-backup.archive-pre",
  "dockerhub.mode",
  "dockerfile.types",
  "dockerswarm.mode",
  "dockerflow.accept",
  "dockerd.allow",
  "dockerize.upstream",
  "dockerize",
  "dockhand.mode",
  "dockhand.update.enable",
  "dockge.allow",
  "dockge.imageUpdate.ignore",
  "dockflare.access.policy",
  "dockflare.accept",
  "dockcheck.update",
  "dockwatch.mode",
  "dockprom.allow",
  "dokku.deny",
  "dokploy.mode",
  "doco-cd.deny",
  "doco.cd.deployment.name",
  "dozzle.name",
  "wud.watch",
  "wud.tag.include",
  "diun.enable",
  "ofelia.job-exec.backup.schedule",
  "com.centurylinklabs.watchtower.enable",
  "com.github.nginx-proxy.nginx",
  "com.ouroboros.enable",
  "traefik.enable",
  "traefik.http.middlewares.app.ipallowlist.sourcerange",
  "traefik.http.routers.app.rule",
  "traefik.deny",
  "caddy.reverse_proxy.upstream",
  "homepage.name",
  "glance.name",
  "kuma.app.http.name",
  "autoheal",
  "prometheus.io/types",
  "firewall.allow",
  "whalewall.enabled",
  "whalewall.rules",
  "io.portainer.accesscontrol.users",
  "io.podman.compose.project",
  "io.rancher.container.network",
  "io.kubernetes.pod.name",
  "io.x-k8s.kind.cluster",
  "k3d.app",
  "dev.containers.mode",
  "maintainer",
  "allow",
  "mode",
  "deny",
  "accept",
];

const onNetworks: readonly [labels: Written, sentences: readonly string[]][] = [
  [
    { "dockerwall.alow": "x" },
    ["label dockerwall.alow: there is no such label; did you mean dockerwall.allow?"],
  ],
  ...["Dockerwall.Allow", "dockerwall.Allow", "DOCKERWALL.ALLOW"].map((name): [Written, string[]] => [
    { [name]: "x" },
    [`label ${name}: there is no such label; did you mean dockerwall.allow?`],
  ]),
  ...[" dockerwall.allow", "dockerwall.allow ", "dockerwall.allow\t", " Dockerwall.Alow"].map(
    (name): [Written, string[]] => [
      { [name]: "x" },
      [`label ${JSON.stringify(name)}: there is no such label; did you mean dockerwall.allow?`],
    ],
  ),
  [
    { "dockerwall.allow\u200b": "x" },
    ['label "dockerwall.allow\\u200b": there is no such label; did you mean dockerwall.allow?'],
  ],
  ...["dockerwall.", "dockerwall", "dockerwall.xyz", "dockerwall.allow-list"].map(
    (name): [Written, string[]] => [
      { [name]: "x" },
      [`label ${name}: there is no such label; a network may have ${namesOfNetworks}`],
    ],
  ),
  ...[
    "dockerwal.allow",
    "dockrwall.allow",
    "docker-wall.allow",
    "docker.wall.allow",
    "com.dockerwall.allow",
  ].map((name): [Written, string[]] => [
    { [name]: "x" },
    [`label ${name}: there is no such label; did you mean dockerwall.allow?`],
  ]),
  ...["dockerwall_allow", "dockerwall-allow", "dockerwall/allow", "dockerwall:allow"].map(
    (name): [Written, string[]] => [
      { [name]: "x" },
      [`label ${name}: there is no such label; did you mean dockerwall.allow?`],
    ],
  ),
  ...[
    "dockerwall.aloww",
    "dockerwal.alow",
    "dockerwal.allw",
    "dokerwall.alow",
    "dcokerwall.alow",
    "Dockewall.Alow",
    "dockwall.alow",
    "dockwall.allow",
    "ockerwall.laolw",
    "docker-wall.alow",
    "docker_wall_alow",
    "docker.wall.alow",
    "dockerwalls.allows",
    "dockerwal.allowed",
    "dockerwall..allow",
    "dockerwallallow",
    "dockerwallalow",
    "dockerwalalow",
    "dockerwal_alow",
    "dockerwal-allow",
    "com.example.dockerwall.alow",
  ].map((name): [Written, string[]] => [
    { [name]: "x" },
    [`label ${name}: there is no such label; did you mean dockerwall.allow?`],
  ]),
  ...["dockerwll.mod", "dokcerwall.moed", "dockerwallmode"].map((name): [Written, string[]] => [
    { [name]: "x" },
    [`label ${name}: there is no such label; did you mean dockerwall.mode?`],
  ]),
  [
    { "dockerwall.dns": "x" },
    [`label dockerwall.dns: there is no such label; a network may have ${namesOfNetworks}`],
  ],
  [
    { "dockerwall.mode": "audit" },
    [
      "label dockerwall.mode: it has no effect without dockerwall.allow, and the network is not guarded; add dockerwall.allow",
    ],
  ],
  [
    { "dockerwall.alow": "", "dockerwall.deny": "reject" },
    [
      "label dockerwall.alow: there is no such label; did you mean dockerwall.allow?",
      "label dockerwall.deny: it has no effect without dockerwall.allow, and the network is not guarded; add dockerwall.allow",
    ],
  ],
  [
    { ...guarding, "dockerwall.mod": "audit" },
    ["label dockerwall.mod: there is no such label; did you mean dockerwall.mode?"],
  ],
  [
    { ...guarding, "Dockerwall.Allow": "" },
    ["label Dockerwall.Allow: there is no such label; did you mean dockerwall.allow?"],
  ],
  [{}, []],
  [{ ...guarding, "dockerwall.mode": "enforce", "dockerwall.upstream": "192.0.2.1" }, []],
  [
    {
      "com.docker.compose.network": "app",
      "com.example.allow": "all",
      "docker.allow": "all",
      "traefik.mode": "x",
      "firewall.deny": "x",
      "dockerwallpaper.colour": "x",
      "": "",
    },
    [],
  ],
  ...softwareLabels.map((name): [Written, string[]] => [{ [name]: "x" }, []]),
];

const onContainers: readonly [labels: Written, sentences: readonly string[]][] = [
  [
    { "dockerwall.alow": "x" },
    ["label dockerwall.alow: there is no such label; did you mean dockerwall.allow?"],
  ],
  ...["dockewall.alow", "dockerwall.aloww", "dockerwalallow"].map((name): [Written, string[]] => [
    { [name]: "x" },
    [`label ${name}: there is no such label; did you mean dockerwall.allow?`],
  ]),
  ...softwareLabels.map((name): [Written, string[]] => [{ [name]: "x" }, []]),
  [
    { "dockerwall.mode": "audit" },
    ["label dockerwall.mode: it has no effect here, only on a network; move it there"],
  ],
  [
    { "Dockerwall.Mode": "audit" },
    [
      "label Dockerwall.Mode: there is no such label; did you mean dockerwall.mode, which has an effect on a network only?",
    ],
  ],
  [
    { "dockerwall.nothing": "" },
    [
      "label dockerwall.nothing: there is no such label; a container may have dockerwall.allow, dockerwall.accept",
    ],
  ],
  [guarding, []],
  [{}, []],
];

describe("a label of a network", () => {
  for (const [labels, sentences] of onNetworks) {
    it(JSON.stringify(labels), () => {
      const expected = sentences.map((sentence) => `network "app", ${sentence}`);
      assert.deepEqual(saidOf(classified({ networks: [networkOf(labels)], containers: [] })), expected);
    });
  }

  it("that does not exist is named on networks that cannot be guarded, too", () => {
    const far = { ...networkOf({ ...guarding, "dockerwall.mod": "" }), driver: "macvlan", bridge: undefined };
    const said = saidOf(classified({ networks: [far], containers: [] }));
    assert.match(said.join("\n"), /has driver macvlan.*\n.*label dockerwall\.mod: there is no such label/);
  });

  it("that does not exist leaves the network open, or guarded, as it was", () => {
    for (const labels of [{}, guarding]) {
      const [before, after] = [labels, { ...labels, "dockerwall.alow": "x" }].map((each) =>
        classified({ networks: [networkOf(each)], containers: [] }),
      );
      assert.deepEqual({ ...after, problems: 0, guarded: 0 }, { ...before, problems: 0, guarded: 0 });
      assert.equal(after?.guarded.length, before?.guarded.length);
    }
  });

  it("is named eight times at most, with how many there are", () => {
    const labels = Object.fromEntries(
      Array.from({ length: 5000 }, (_, index) => [`dockerwall.x${index}`, ""]),
    );
    const said = saidOf(classified({ networks: [networkOf(labels)], containers: [] }));
    assert.equal(said.length, 9);
    assert.equal(said.at(-1), 'network "app": 4992 more of its labels do not exist or have no effect');
  });

  it("with a very long name is cut short", () => {
    const labels = { [`dockerwall.${"y".repeat(60_000)}`]: "" };
    assert.ok(saidOf(classified({ networks: [networkOf(labels)], containers: [] })).join().length < 400);
  });
});

describe("a label of a container", () => {
  for (const [labels, sentences] of onContainers) {
    it(JSON.stringify(labels), () => {
      const expected = sentences.map((sentence) => `container "web", ${sentence}`);
      assert.deepEqual(
        saidOf(classified({ networks: [networkOf(guarding)], containers: [web(labels)] })),
        expected,
      );
    });
  }
});

it("whatever stands in a label's name, the report of it is visible text", () => {
  const name = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));
  const label = fc.tuple(fc.constantFrom("dockerwall.", " Dockerwall.", "", "x.dockerwall-"), name);
  fc.assert(
    fc.property(fc.array(label), (written) => {
      const labels = Object.fromEntries(written.map(([head, rest]) => [`${head}${rest}`, ""]));
      for (const sentence of findSlips({ kind: "network", name: "app", labels }))
        assert.match(sentence, /^network "app"(?:, label |: \d+ more )[\x20-\x7e]{1,600}$/);
    }),
  );
});

/** One slip of the fingers. */
const slipOf = (word: string): fc.Arbitrary<string> =>
  fc.tuple(fc.nat(word.length - 1), fc.constantFrom(..."aekw"), fc.nat(3)).map(([at, letter, kind]) => {
    const [head, rest] = [word.slice(0, at), word.slice(at)];
    const changed = [rest.slice(1), letter + rest, letter + rest.slice(1), swapped(rest)][kind];
    return head + changed;
  });

const swapped = (word: string): string => `${word.slice(1, 2)}${word.slice(0, 1)}${word.slice(2)}`;

it("a label with a slip or two in our name, and one in its own, is named", () => {
  const halves = [slipOf("docke"), slipOf("rwall"), slipOf("allow")] as const;
  fc.assert(
    fc.property(...halves, fc.constantFrom(".", "_", "-"), (first, second, own, separator) => {
      const label = `${first}${second}${separator}${own}`;
      // A letter may have taken its own place.
      fc.pre(label !== "dockerwall.allow");
      const labels = { [label]: "" };
      assert.equal(findSlips({ kind: "network", name: "app", labels }).length, 1, JSON.stringify(labels));
    }),
    { numRuns: 2000 },
  );
});

describe("dockerwall.allow on a container", () => {
  const networks = [networkOf(guarding), bridgeNetwork("plain", "198.19.2.0/24")];
  const nowhere =
    'container "web", label dockerwall.allow: none of its networks carries dockerwall.allow, so it is NOT contained; label a network';
  const created = (networkMode: string, configured: readonly string[]): Container => ({
    ...newContainer("web", networkMode),
    configured,
  });
  const cases: readonly [name: string, container: Container, said: readonly string[]][] = [
    ["on no guarded network", runningContainer("web", "plain", "198.19.2.2"), [nowhere]],
    ["on a guarded one", runningContainer("web", "app", "198.19.1.2"), []],
    ["of which an event has told only", created("", []), []],
    ["created for a guarded network", created("app", ["app"]), []],
    ["created for another", created("plain", ["plain"]), [nowhere]],
    ["created for both", created("plain", ["plain", "app"]), []],
    ["whose network has been removed", created("gone", ["f".repeat(64)]), []],
  ];
  for (const [name, container, said] of cases) {
    it(name, () => {
      const found = classified({ networks, containers: [{ ...container, labels: guarding }] });
      assert.deepEqual(saidOf(found), said);
    });
  }
});

const folder = mkdtempSync(join(tmpdir(), "dockerwall-slips-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A daemon's reporter in force, and what it logs. */
function daemon() {
  const sets = createFakeSets(() => 0);
  for (const spec of setSpecs()) sets.create(spec);
  const logged: string[] = [];
  const lifecycle = createLifecycle(
    () => undefined,
    () => 0,
  );
  lifecycle.become("enforcing");
  const reporter = createReporter({
    engineVersion: () => ({ version: "28.5.2", apiVersion: "1.51" }),
    backend: "nft",
    queues: [],
    nowMs: () => 0,
    history: createHistory({ sets, ttlSeconds: 60, nowMs: () => 0, onFailure: () => undefined }),
    lifecycle,
    onStatement: ({ kind, sentence }) => kind === "solved" || logged.push(sentence),
    onChange: (unwell) => lifecycle.observe(unwell),
    overrides: () => [],
    slowed: [],
    circles: () => [],
    quarantined: () => new Set(),
  });
  const look = (networks: readonly Network[], containers: readonly Container[] = []): void => {
    const topology = { networks, containers };
    reporter.onClassified(topology, classified(topology));
  };
  return { reporter, logged, look };
}

let sockets = 0;

/** What `status` prints, and its exit codes without and with `--health`. */
async function statusOf(reporter: ReturnType<typeof daemon>["reporter"]): Promise<[string, number, number]> {
  sockets += 1;
  const path = join(folder, `${sockets}`, "control.sock");
  const served = { status: async () => reporter.status() };
  const server = await createControlServer({ path, served });
  const printed: string[] = [];
  const run = (options: Readonly<Record<string, string>>): Promise<number> =>
    command.run({
      options,
      operands: [],
      environment: { DOCKERWALL_CONTROL_SOCKET: path },
      output: { write: (text) => void printed.push(text), styled: false },
    });
  try {
    const codes = [await run({}), await run({ health: "" })] as const;
    return [printed[0] ?? "", ...codes];
  } finally {
    await server.close();
  }
}

describe("a slip in a label", () => {
  const sentence =
    'network "app", label dockerwall.alow: there is no such label; did you mean dockerwall.allow?';
  const slip = { "dockerwall.alow": "www.example.com" };
  const places: readonly [string, readonly Network[], readonly Container[], RegExp][] = [
    ["of a network that is not guarded", [networkOf(slip)], [], /dockerwall\.alow/],
    ["of one that is", [networkOf({ ...guarding, ...slip })], [], /dockerwall\.alow/],
    ["of a container", [networkOf(guarding)], [web(slip)], /container "web", label dockerwall\.alow/],
  ];
  for (const [name, networks, containers, said] of places) {
    it(`${name} fails status and doctor, not the image's health`, async () => {
      const { reporter, logged, look } = daemon();
      look([networkOf(guarding)], [web({})]);
      assert.deepEqual((await statusOf(reporter)).slice(1), [0, 0]);
      look(networks, containers);
      const [printed, code, health] = await statusOf(reporter);
      assert.deepEqual([code, health], [1, 0]);
      assert.equal(printed.split("dockerwall.alow").length, 2, printed);
      assert.match(printed, said);
      assert.equal(logged.length, 1);
      assert.match(logged.join(), said);
      const { checks } = await examineHost({
        engine: {
          version: async () => ({ version: "28.5.2", apiVersion: "1.51" }),
          firewallDriver: async () => undefined,
        },
        status: reporter.status(),
        topology: () => ({ networks: [], containers: [] }),
        guarded: new Set(),
        rulesStand: async () => true,
        foreignMarks: async () => [],
        examine: async () => ({ resolvers: [], sandboxes: [], asked: [] }),
        ownResolvers: async () => ({ named: [], unread: [] }),
        detours: async () => [],
        savedRules: [],
        forwardingSwitchedOff: () => undefined,
      });
      const unwell = checks.filter(({ ok }) => !ok);
      assert.deepEqual(
        unwell.map(({ subject }) => subject),
        ["configuration"],
      );
      assert.match(unwell[0]?.finding ?? "", said);
    });
  }

  it("is forgotten with its network, and told again of the next one", async () => {
    const { reporter, logged, look } = daemon();
    look([networkOf(slip)]);
    assert.deepEqual(reporter.status().problems, [sentence]);
    look([]);
    assert.deepEqual(reporter.status().problems, []);
    assert.equal((await statusOf(reporter))[1], 0);
    look([{ ...networkOf(slip), id: "another" }]);
    assert.deepEqual(reporter.status().problems, [sentence]);
    assert.deepEqual(logged, [sentence, sentence]);
  });
});
