// What is said of single containers: every right by which one could step around the wall is named for every container
// that is behind it, also for one that shares another's network, and of none that is not.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nothingFound } from "../../../../src/core/classify/bridge-ports.ts";
import { examineContainers } from "../../../../src/core/classify/containers.ts";
import { onlyLabels } from "../../../../src/core/classify/gather.ts";
import { classify } from "../../../../src/core/classify/networks.ts";
import { renderPrefix } from "../../../../src/core/model/address.ts";
import type { Container, Network, Topology } from "../../../../src/core/model/topology.ts";
import { createListStore } from "../../../../src/core/policy/list-store.ts";
import { parseContainer } from "../../../../src/edge/engine/api/answers.ts";
import { listOf, presets } from "../../../support/policies.ts";
import { bridgeNetwork, unlabelled } from "../../../support/topologies.ts";

type Settings = Readonly<Record<string, unknown>>;

const network = (id: string, driver = "bridge", labels: Record<string, string> = {}): Network => ({
  id,
  name: id,
  driver,
  bridge: driver === "bridge" ? `br-${id}` : undefined,
  subnets: [],
  gateways: [],
  internal: false,
  labels,
});

/** As the engine tells of it. */
function container(name: string, on: Record<string, string>, more: Settings = {}): Container {
  const [networkMode = "none"] = Object.keys(on);
  const { HostConfig, Mounts, Labels, Env } = more;
  const endpoints = Object.entries(on).map(([id, address]) => [id, { NetworkID: id, IPAddress: address }]);
  const [parsed] = parseContainer({
    Id: `id-of-${name}`,
    Name: `/${name}`,
    State: { Running: more["Running"] ?? true },
    Config: { Labels, Env },
    HostConfig: { NetworkMode: networkMode, ...(HostConfig as Settings) },
    Mounts,
    NetworkSettings: { Networks: Object.fromEntries(endpoints) },
  });
  return parsed ?? assert.fail(name);
}

const networks = [network("app"), network("plain"), network("wire", "macvlan"), network("host", "host")];
const examine = (
  containers: readonly Container[],
  own?: string,
  on: readonly Network[] = networks,
  allow = "",
) =>
  examineContainers({
    topology: { networks: on, containers } satisfies Topology,
    guarded: new Map([["app", { labels: unlabelled, lists: [listOf(allow)] }]]),
    policy: onlyLabels(createListStore(presets), 0),
    quarantine: new Set(),
    own,
  });
const web = container("web", { app: "198.19.1.2" });

const hazards: readonly [name: string, more: Settings, sentence: RegExp][] = [
  ["the Docker socket", { Mounts: [{ Source: "/var/run/docker.sock" }] }, /has the Docker socket/],
  ["the folder of the Docker socket", { Mounts: [{ Source: "/run" }] }, /has the Docker socket/],
  ["the host's root folder", { Mounts: [{ Source: "/" }] }, /has the Docker socket/],
  ["privileged", { HostConfig: { Privileged: true } }, /is privileged/],
  ["the host's processes", { HostConfig: { PidMode: "host" } }, /sees the host's processes/],
  [
    "NET_ADMIN",
    { HostConfig: { CapAdd: ["NET_ADMIN"] } },
    /has NET_ADMIN, and with it .* unless the engine maps users .* NOT contained/,
  ],
  ["CAP_NET_ADMIN", { HostConfig: { CapAdd: ["CAP_NET_ADMIN"] } }, /has NET_ADMIN/],
  ["SYS_ADMIN", { HostConfig: { CapAdd: ["SYS_ADMIN"] } }, /has SYS_ADMIN/],
  ...["SYS_MODULE", "CAP_SYS_RAWIO", "sys_boot", "BPF", "PERFMON"].map((name): [string, Settings, RegExp] => [
    name,
    { HostConfig: { CapAdd: [name] } },
    /has a right over the host's kernel/,
  ]),
  ["DAC_READ_SEARCH", { HostConfig: { CapAdd: ["DAC_READ_SEARCH"] } }, /has DAC_READ_SEARCH/],
  ["a disk", { HostConfig: { Devices: [{ PathOnHost: "/dev/sda1" }] } }, /has a host device/],
  ["the memory", { HostConfig: { Devices: [{ PathOnHost: "/dev/mem" }] } }, /has a host device/],
  ["every device", { Mounts: [{ Source: "/dev" }] }, /has a host device/],
  [
    "containerd's socket",
    { Mounts: [{ Source: "/run/containerd/containerd.sock" }] },
    /has the Docker socket/,
  ],
  ...[
    "DOCKER_HOST=tcp://proxy:2375",
    "DOCKER_HOST=tcp://host.docker.internal:9999",
    "DOCKER_HOST=https://198.19.0.1:2376",
    "CONTAINER_HOST=tcp://198.19.0.1:8888",
    "ENDPOINT=TCP://[2001:db8::1]:2375/",
    "LISTEN=--endpoint=tcp://proxy:2376",
  ].map((variable): [string, Settings, RegExp] => [
    variable,
    { Env: ["PATH=/bin", variable] },
    /is pointed at an engine's API over TCP by its environment/,
  ]),
  ["all capabilities", { HostConfig: { CapAdd: ["all"] } }, /has NET_ADMIN/],
];

describe("what is no hazard", () => {
  const harmless: readonly [name: string, more: Settings][] = [
    [
      "capabilities that Docker gives anyway",
      { HostConfig: { CapAdd: ["NET_RAW", "CHOWN", "MKNOD", "SYS_TIME"] } },
    ],
    [
      "a harmless device",
      { HostConfig: { Devices: [{ PathOnHost: "/dev/fuse" }, { PathOnHost: "/dev/snd" }] } },
    ],
    [
      "an engine's socket that is not mounted, and ports of others",
      {
        Env: [
          "DOCKER_HOST=unix:///var/run/docker.sock",
          "DOCKER_HOST=",
          "DOCKER_HOST=ssh://root@198.19.0.1",
          "DB=tcp://db:5432",
          "X=tcp://db:23750",
          "PORT=2375",
        ],
      },
    ],
    ["a folder of its own", { Mounts: [{ Source: "/srv/data" }, { Source: "/dev/shm" }] }],
  ];
  for (const [name, more] of harmless)
    it(name, () => assert.deepEqual(examine([container("it", { app: "198.19.1.3" }, more)]).warnings, []));
});

describe("hazards of containers", () => {
  for (const [name, more, sentence] of hazards) {
    const shared = (mode: string): Settings => ({
      ...more,
      HostConfig: { ...(more["HostConfig"] as Settings), NetworkMode: mode },
    });
    const told: readonly [where: string, containers: readonly Container[]][] = [
      ["on a guarded network", [container("it", { app: "198.19.1.3" }, more)]],
      ["on another one too", [container("it", { plain: "198.19.3.3", app: "198.19.1.3" }, more)]],
      ["on a guarded container's network", [web, container("it", {}, shared("container:id-of-web"))]],
      ["on it, by its name", [web, container("it", {}, shared("container:web"))]],
      [
        "on it, by way of a third",
        [
          web,
          container("it", {}, shared("container:id-of-mid")),
          container("mid", {}, { HostConfig: { NetworkMode: "container:id-of-web" } }),
        ],
      ],
      ["on the host's network", [container("it", { host: "" }, more)]],
      [
        "on no guarded network, with a label",
        [container("it", { plain: "198.19.3.3" }, { ...more, Labels: { "dockerwall.allow": "" } })],
      ],
    ];
    for (const [where, containers] of told) {
      it(`${name}, ${where}`, () => {
        const warnings = examine(containers).warnings.filter((warning) => sentence.test(warning));
        assert.equal(warnings.length, 1, warnings.join("\n"));
        assert.match(warnings.join(), /^container "it" /);
      });
    }
    const untold: readonly [where: string, containers: readonly Container[]][] = [
      ["behind nothing", [container("it", { plain: "198.19.3.3" }, more)]],
      ["stopped", [container("it", { app: "" }, { ...more, Running: false })]],
      [
        "on the network of one behind nothing",
        [container("free", { plain: "198.19.3.3" }), container("it", {}, shared("container:id-of-free"))],
      ],
      ["on the network of one that is gone", [web, container("it", {}, shared("container:id-of-gone"))]],
      ["on its own network, by mistake", [container("it", {}, shared("container:id-of-it"))]],
    ];
    for (const [where, containers] of untold) {
      it(`not ${name}, ${where}`, () => assert.deepEqual(examine(containers).warnings, []));
    }
  }

  it("the host's network", () => {
    const sentence = 'container "it" is on the host\'s network, which is not guarded';
    assert.deepEqual(examine([container("it", { host: "" })]).warnings, [sentence]);
  });

  it("nothing of the daemon's own container", () => {
    const own = container("dockerwall", { host: "" }, { HostConfig: { Privileged: true } });
    assert.deepEqual(examine([own], own.id).warnings, []);
  });
});

describe("second networks of containers", () => {
  it("a bridge: guarded there by every address that it has", () => {
    const { guardedAddresses, unguarded, warnings } = examine([
      container("both", { app: "198.19.1.3", plain: "198.19.3.3" }),
    ]);
    assert.deepEqual(
      unguarded.map(({ name, addresses, policies }) => [name, addresses, policies.length]),
      [["both", ["198.19.3.3"], 1]],
    );
    assert.deepEqual(
      guardedAddresses.map(({ address, bridge }) => `${address} ${bridge}`),
      ["198.19.1.3 br-app", "198.19.1.3 br-plain", "198.19.3.3 br-plain"],
    );
    assert.match(
      warnings.join("\n"),
      /^container "both" is also on network "plain", .*the same allowlist applies to it there/,
    );
  });

  it("macvlan: not contained", () => {
    const { guardedAddresses, unguarded, warnings } = examine([
      container("both", { app: "198.19.1.3", wire: "198.19.4.3" }),
    ]);
    assert.deepEqual([guardedAddresses, unguarded], [[], []]);
    assert.match(
      warnings.join("\n"),
      /^container "both" is also on network "wire" \(macvlan\), .*NOT contained/,
    );
  });
});

describe("resolvers that a container is given (--dns)", () => {
  const given = (on: Record<string, string>, more: Settings = {}): Container =>
    container("web", on, { HostConfig: { Dns: ["192.0.2.8", "192.0.2.9"] }, ...more });
  const told =
    'container "web": dns 192.0.2.8 192.0.2.9 is not asked, as network "app" is guarded: Dockerwall answers in its place, and asks its own resolvers; to have it asked, write the label dockerwall.upstream: "192.0.2.8 192.0.2.9" on the network';
  const warned = (it: Container, labels = unlabelled, on = networks): readonly string[] =>
    examineContainers({
      topology: { networks: on, containers: [it] },
      guarded: new Map(["app", "docker0"].map((id) => [id, { labels, lists: [listOf("")] }])),
      policy: onlyLabels(createListStore(presets), 0),
      quarantine: new Set(),
    }).warnings;

  it("are not asked on a guarded network", () => {
    assert.deepEqual(warned(given({ app: "198.19.1.3" })), [told]);
  });
  it("are asked on an open one", () => {
    assert.deepEqual(warned(given({ plain: "198.19.3.3" })), []);
  });
  it("nothing where the network names its own", () => {
    assert.deepEqual(warned(given({ app: "198.19.1.3" }), { ...unlabelled, upstream: [] }), []);
  });
  it("nothing while it does not run", () => {
    assert.deepEqual(warned(given({ app: "198.19.1.3" }, { Running: false })), []);
  });
  it("nothing on Docker's own network, where its /etc/resolv.conf names them", () => {
    const own = { ...network("docker0"), name: "bridge" };
    assert.deepEqual(warned(given({ docker0: "198.19.5.3" }), unlabelled, [...networks, own]), []);
  });
  it("nothing where its label accepts that", () => {
    const Labels = { "dockerwall.accept": "dns" };
    assert.deepEqual(warned(given({ app: "198.19.1.3" }, { Labels })), []);
  });
});

describe("labels of containers", () => {
  const label = { Labels: { "dockerwall.allow": "www.example.com" } };
  it("a problem says whose label counts for one that shares a guarded container's network", () => {
    const side = container("side", {}, { ...label, HostConfig: { NetworkMode: "container:id-of-web" } });
    const { problems, services } = examine([web, side]);
    assert.deepEqual(services, []);
    assert.deepEqual(problems, [
      'container "side", label dockerwall.allow: it uses the network of container "web", whose labels apply to both; label that container',
    ]);
  });
});

describe("a container with a list of its own that has just started", () => {
  const starting = (networkMode: string): Container => ({
    ...container("web", {}, { Labels: { "dockerwall.allow": "a.example.com" } }),
    running: true,
    networkMode,
    configured: [networkMode],
  });
  it("is contained by the network that it is about to be on", () => {
    assert.deepEqual(examine([starting("app")]).problems, []);
  });
  for (const mode of ["plain", "host"])
    it(`is not contained: ${mode}`, () => {
      assert.match(examine([starting(mode)]).problems.join(), /so it is NOT contained; label a network$/);
    });
});

describe("entries that lead to an engine's API", () => {
  const told = (network: string, own?: string, accept?: string): readonly string[] => {
    const labels = { ...(own === undefined ? {} : { "dockerwall.allow": own }) };
    const Labels = { ...labels, ...(accept === undefined ? {} : { "dockerwall.accept": accept }) };
    return examine([container("web", { app: "198.19.1.2" }, { Labels })], undefined, networks, network)
      .warnings;
  };
  const leading: readonly (readonly [network: string, own?: string])[] = [
    ["host:2375"],
    ["www.example.com", "host:2376/tcp"],
    ["host:2000-2999"],
    ["198.19.0.1:2375"],
    ["host.docker.internal@198.19.0.0/16:2375-2376"],
    ["host:2375-2376 !host:2376"],
  ];
  for (const [network, own] of leading)
    it(`${network} ${own ?? ""}`, () => {
      const [warning = "", ...more] = told(network, own);
      assert.match(
        warning,
        /^container "web" may reach an engine's API over TCP \(entry \S+:\S*\), and with it control of that engine's host$/,
      );
      assert.deepEqual(more, []);
      assert.deepEqual(told(network, own, "engine-api"), []);
    });
  const others: readonly (readonly [network: string, own?: string])[] = [
    ["host:2375/udp"],
    ["host:2374 host:2377"],
    ["host:2375-2376 !host:2375-2376"],
    ["host:2375", "!host:2375"],
    ["!host:2375"],
    ["198.19.0.1", "www.example.com:1-65535"],
  ];
  for (const [network, own] of others)
    it(`not ${network} ${own ?? ""}`, () => assert.deepEqual(told(network, own), []));
  it("take the place of the warning about a variable", () => {
    const it = container(
      "web",
      { app: "198.19.1.2" },
      { Env: ["DOCKER_HOST=tcp://host.docker.internal:2375"] },
    );
    const { warnings } = examine([it], undefined, networks, "host:2375");
    assert.equal(warnings.length, 1);
    assert.match(warnings.join(), /entry host:2375/);
  });
});

describe("warnings that a label accepts", () => {
  const socket = { Mounts: [{ Source: "/var/run/docker.sock" }], HostConfig: { Privileged: true } };
  const both = { app: "198.19.1.2", plain: "198.19.2.2" };
  const accepting = (label: string) =>
    examine([container("web", both, { ...socket, Labels: { "dockerwall.accept": label } })]);
  const all = examine([container("web", both, socket)]).warnings;
  const cases: readonly (readonly [label: string, left: readonly RegExp[]])[] = [
    ["docker-socket", [/is privileged/, /is also on network "plain"/]],
    ["docker-socket privileged", [/is also on network "plain"/]],
    ["docker-socket, privileged\nsecond-network", []],
  ];
  for (const [label, left] of cases)
    it(JSON.stringify(label), () => {
      const { warnings, problems, guardedAddresses } = accepting(label);
      assert.equal(warnings.length, left.length);
      for (const [index, sentence] of left.entries()) assert.match(warnings[index] ?? "", sentence);
      assert.deepEqual(problems, []);
      assert.equal(guardedAddresses.length, 3, "guarded as before");
    });
  it("a word that there is not accepts nothing", () => {
    const { warnings, problems } = accepting("docker-socket privilegd");
    assert.deepEqual(warnings, all);
    assert.match(
      problems.join(),
      /^container "web", label dockerwall.accept: entry "privilegd" at column 15: it is not one of second-network, .*; the warnings stay$/,
    );
  });
});

it("a guarded network whose bridge was taken away is a problem, and stays closed", () => {
  const network = { ...bridgeNetwork("app", "198.19.1.0/24"), labels: { "dockerwall.allow": "" } };
  const of = (lost: readonly string[]) =>
    classify({
      topology: { networks: [network], containers: [] },
      bridges: [],
      policy: onlyLabels(createListStore(presets), 0),
      foreign: new Set(),
      lost: new Set(lost),
      foundOn: () => nothingFound,
      held: [],
      quarantine: new Set(),
    });
  assert.equal(of([]).problems.size, 0);
  const { guarded, problems } = of([network.bridge ?? ""]);
  assert.equal(guarded.length, 1);
  assert.match(problems.get(network.id)?.join() ?? "", /"app": its bridge .* is gone from this host/);
});

describe("networks that cannot be guarded", () => {
  for (const driver of ["macvlan", "ipvlan", "overlay", "host", "null", "weave:latest"]) {
    it(driver, () => {
      const labels = { "dockerwall.allow": "www.example.com" };
      const { guarded, openBridges, refused, problems } = classify({
        topology: { networks: [network("far", driver, labels)], containers: [] },
        bridges: ["br-far"],
        policy: onlyLabels(createListStore(presets), 0),
        foreign: new Set(),
        lost: new Set(),
        foundOn: () => nothingFound,
        held: [],
        quarantine: new Set(),
      });
      assert.deepEqual([guarded, openBridges], [[], []]);
      assert.deepEqual(
        refused.map(({ name, subnets }) => [name, subnets.map(renderPrefix)]),
        [["far", []]],
      );
      assert.deepEqual(problems.get("far"), [
        `network "far" has driver ${driver}, which cannot be guarded: its containers are NOT contained; use the bridge driver`,
      ]);
    });
  }
});

describe("what may come in untranslated", () => {
  const routed = {
    ...bridgeNetwork("app", "198.19.1.0/24", "2001:db8:1::/64"),
    gatewayModes: { 4: "routed" },
  } as const;
  const serving: Container = { ...web, publishes: [{ protocol: 6, port: 80 }] };
  const published = (on: Network, ...containers: Container[]): readonly string[] =>
    examine(containers, undefined, [on]).published.map(
      ({ address, service }) => `${address} ${service.protocol}:${service.port}`,
    );

  it("published ports and echo requests, where Docker routes to the container", () => {
    assert.deepEqual(published(routed, serving), ["198.19.1.2 6:80", "198.19.1.2 1:2048"]);
  });

  it("nothing by translation, in the other family, or of a container that does not run", () => {
    assert.deepEqual(published(bridgeNetwork("app", "198.19.1.0/24"), serving), []);
    assert.deepEqual(published({ ...routed, gatewayModes: { 6: "routed" } }, serving), []);
    assert.deepEqual(published(routed, { ...serving, running: false }), []);
  });
});
