// What engines answer in the versions of their API from 1.44 to 1.57, as api/docs/CHANGELOG.md and the specifications beside
// it in moby/moby describe it: whatever a version has left out or put in, the same is read.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parsePrefix } from "../../../../src/core/model/address.ts";
import {
  parseContainer,
  parseListedContainer,
  parseNetwork,
} from "../../../../src/edge/engine/api/answers.ts";
import type { EngineEvent } from "../../../../src/edge/engine/api/events.ts";
import { connectEngine } from "../../../../src/edge/engine/engine.ts";
import { type FakeEngine, startFakeEngine } from "../../../support/fake-engine.ts";

const id = "4fa6e0f0c6786287e131c3852c58a2e01cc697a68231826813597e4994f1d6e2";
const networkId = "7d86d31b1478e7cca9ebed7e73aa0fdeec46c5ca29497431d3007d2d9e15ed99";

/** The events about one container: it starts, and is connected to a network. */
const older = [
  {
    status: "start",
    id,
    from: "debian:trixie",
    Type: "container",
    Action: "start",
    Actor: { ID: id, Attributes: { image: "debian:trixie", name: "web", "dockerwall.allow": "!a.example" } },
    scope: "local",
    time: 1764300000,
    timeNano: 1764300000123456789n.toString(),
  },
  {
    Type: "network",
    Action: "connect",
    Actor: { ID: networkId, Attributes: { container: id, name: "app", type: "bridge" } },
    scope: "local",
    time: 1764300001,
    timeNano: 1764300001123456789n.toString(),
  },
];
/** From 1.52 on. */
const newer = older.map(({ status: _status, id: _id, from: _from, ...event }) => event);

async function read(fake: FakeEngine, stream: string): Promise<EngineEvent[]> {
  const engine = connectEngine(fake.socket, () => undefined);
  const stop = new AbortController();
  const open = Promise.withResolvers<void>();
  const events: EngineEvent[] = [];
  const all = Promise.withResolvers<void>();
  const onEvent = (event: EngineEvent): void => {
    if (events.push(event) === older.length) all.resolve();
  };
  engine.followEvents(open.resolve, onEvent, stop.signal).catch(all.reject);
  await open.promise;
  fake.say(stream);
  await all.promise;
  stop.abort();
  return events;
}

describe("events", () => {
  const lines = (events: readonly unknown[], before = ""): string =>
    events.map((event) => `${before}${JSON.stringify(event)}\n`).join("");
  const streams: readonly [name: string, stream: string][] = [
    ["with `status`, `id` and `from`, as up to 1.51", lines(older)],
    ["without them, as from 1.52 on", lines(newer)],
    ["as application/x-ndjson, with lines that keep the stream open", `\n${lines(newer)}\n`],
    ["as application/json-seq, which a proxy may ask for", lines(newer, "\x1e")],
  ];
  for (const [name, stream] of streams) {
    it(name, async () => {
      await using fake = await startFakeEngine({ least: "1.44", most: "1.52" });
      assert.deepEqual(await read(fake, stream), [
        {
          type: "container",
          action: "start",
          id,
          container: undefined,
          attributes: { image: "debian:trixie", name: "web", "dockerwall.allow": "!a.example" },
        },
        {
          type: "network",
          action: "connect",
          id: networkId,
          container: id,
          attributes: { container: id, name: "app", type: "bridge" },
        },
      ]);
    });
  }
});

describe("a container", () => {
  const endpoint = {
    IPAMConfig: null,
    Links: null,
    Aliases: ["web"],
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: networkId,
    EndpointID: "e7d06dfb7e9e8a4e8a8c05ed3e0b1ee9e0e9b3b1f6d3f3f9c2b2ce8b2d6c7f11",
    Gateway: "198.18.0.1",
    IPAddress: "198.18.0.2",
    MacAddress: "02:42:c6:12:00:02",
    IPPrefixLen: 24,
    IPv6Gateway: "",
    GlobalIPv6Address: "2001:db8:1::2",
    GlobalIPv6PrefixLen: 64,
    DNSNames: ["web", "4fa6e0f0c678", "host-of-web"],
  };
  const kept = {
    SandboxID: "a3c1b7",
    SandboxKey: "/var/run/docker/netns/a3c1b7",
    Ports: {
      "53/udp": [
        { HostIp: "0.0.0.0", HostPort: "5300" },
        { HostIp: "::", HostPort: "5300" },
      ],
      "80/tcp": null,
      "9000/tcp": [{ HostIp: "", HostPort: "" }],
      "7002/tcp": [{ HostIp: "", HostPort: "7002" }],
      "7000/tcp": [{ HostIp: "0.0.0.0", HostPort: "7000" }],
      "7001/tcp": [{ HostIp: "0.0.0.0", HostPort: "7001" }],
      "9001/tcp": [{ HostIp: "0.0.0.0", HostPort: "7004" }],
    },
    Networks: { app: endpoint },
  };
  const gone = {
    Bridge: "",
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: "",
    Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    IPAddress: "",
    IPPrefixLen: 0,
    IPv6Gateway: "",
    MacAddress: "",
  };
  const inspected = (NetworkSettings: object): object => ({
    Id: id,
    Name: "/web",
    State: { Status: "running", Running: true },
    Config: { Labels: { "dockerwall.allow": "!a.example" } },
    HostConfig: {
      NetworkMode: "app",
      CapAdd: ["CAP_NET_ADMIN"],
      Dns: ["8.8.8.8", "2001:4860:4860:0::8888", "no address"],
      PortBindings: { "53/udp": [{ HostIp: "", HostPort: "5300" }], "443/tcp": [{}], "5000/sctp": null },
    },
    Mounts: [],
    NetworkSettings,
  });
  const container = {
    id,
    name: "web",
    labels: { "dockerwall.allow": "!a.example" },
    running: true,
    networkMode: "app",
    sandbox: "a3c1b7",
    endpoints: [
      {
        networkId,
        addresses: ["198.18.0.2", "2001:db8:1::2"],
        aliases: ["web", "4fa6e0f0c678", "host-of-web"],
        gatewayPriority: 0,
        links: [],
      },
    ],
    configured: [networkId],
    hazards: ["net-admin"],
    dns: ["8.8.8.8", "2001:4860:4860::8888"],
    published: [
      { address: "0.0.0.0", port: 5300 },
      { address: "::", port: 5300 },
    ],
    hostPorts: [
      { protocol: 17, address: "0.0.0.0", from: 5300, to: 5300 },
      { protocol: 17, address: "::", from: 5300, to: 5300 },
      { protocol: 6, address: "0.0.0.0", from: 7000, to: 7002 },
      { protocol: 6, address: "0.0.0.0", from: 7004, to: 7004 },
    ],
    publishes: [
      { protocol: 17, port: 53 },
      { protocol: 6, port: 443 },
      { protocol: 132, port: 5000 },
      ...[9000, 7002, 7000, 7001, 9001].map((port) => ({ protocol: 6, port })),
    ],
  };

  for (const [name, settings] of [
    ["with addresses beside its networks, as up to 1.51", { ...gone, ...kept }],
    ["with those of its networks only, as from 1.52 on", kept],
  ] as const)
    it(name, () => assert.deepEqual(parseContainer(inspected(settings)), [container]));

  it("in the list, which has said no more of it than now in any of them", () => {
    const listed = {
      Id: id,
      Names: ["/web"],
      State: "running",
      Status: "Up 5 minutes",
      Labels: container.labels,
      HostConfig: { NetworkMode: "app", Annotations: { "io.example": "1" } },
      NetworkSettings: { Networks: { app: endpoint } },
      Health: { Status: "healthy", FailingStreak: 0 },
    };
    const { name, labels, running, networkMode, endpoints, configured } = container;
    assert.deepEqual(parseListedContainer(listed)[0]?.container, {
      ...{ id, name, labels, running, networkMode, endpoints, configured },
      sandbox: undefined,
      hazards: [],
    });
  });
});

describe("links of a container", () => {
  const linking = (NetworkMode: string) => {
    const [container] = parseContainer({
      Id: "4fa6e0f0c678",
      Config: { ExposedPorts: { "5432/tcp": {}, "53/udp": {}, "x/tcp": {} } },
      HostConfig: { NetworkMode, Links: ["/db:/web/store", "/cache:/web/cache"] },
    });
    return [container?.linked, container?.exposes];
  };
  const exposes = [
    { protocol: 6, port: 5432 },
    { protocol: 17, port: 53 },
  ];
  for (const mode of ["default", "bridge"])
    it(`count on Docker's own network: ${mode}`, () =>
      assert.deepEqual(linking(mode), [["db", "cache"], exposes]));
  it("are names only on any other", () => assert.deepEqual(linking("app"), [undefined, undefined]));
});

describe("a network", () => {
  const shape = {
    Name: "app",
    Id: networkId,
    Created: "2025-11-28T10:00:00Z",
    Scope: "local",
    Driver: "bridge",
    EnableIPv4: true,
    EnableIPv6: true,
    IPAM: {
      Driver: "default",
      Options: {},
      Config: [
        { Subnet: "198.18.0.0/24", IPRange: "", Gateway: "198.18.0.1" },
        { Subnet: "2001:db8:1::/64", Gateway: "2001:db8:1::1" },
      ],
    },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Options: {},
    Labels: { "dockerwall.allow": "" },
  };
  const status = {
    IPAM: {
      Subnets: {
        "198.18.0.0/24": { IPsInUse: 4, DynamicIPsAvailable: 252 },
        "2001:db8:1::/64": { IPsInUse: 3, DynamicIPsAvailable: 18446744073709551613n.toString() },
      },
    },
  };
  for (const [name, answer] of [
    ["as up to 1.51", shape],
    ["with `Status`, as from 1.52 on", { ...shape, Status: status, Containers: { [id]: { Name: "web" } } }],
  ] as const) {
    it(name, () =>
      assert.deepEqual(parseNetwork(answer), [
        {
          id: networkId,
          name: "app",
          driver: "bridge",
          bridge: "br-7d86d31b1478",
          subnets: ["198.18.0.0/24", "2001:db8:1::/64"].map(parsePrefix),
          gateways: ["198.18.0.1", "2001:db8:1::1"],
          internal: false,
          labels: { "dockerwall.allow": "" },
        },
      ]),
    );
  }
});

describe("the gateway of a network", () => {
  const mode = (family: 4 | 6, value: string): object => ({
    [`com.docker.network.bridge.gateway_mode_ipv${family}`]: value,
  });
  const cases: readonly [options: object, modes: object | undefined][] = [
    [{}, undefined],
    [mode(4, "nat"), undefined],
    [mode(4, "isolated"), undefined],
    [mode(4, "routed"), { 4: "routed" }],
    [
      { ...mode(4, "nat-unprotected"), ...mode(6, "routed") },
      { 4: "nat-unprotected", 6: "routed" },
    ],
  ];
  for (const [Options, modes] of cases) {
    it(`with options ${JSON.stringify(Options)}`, () =>
      assert.deepEqual(parseNetwork({ Id: networkId, Options })[0]?.gatewayModes, modes));
  }
});

describe("containers of one network", () => {
  const icc = "com.docker.network.bridge.enable_icc";
  const cases: readonly [options: object, keepsApart: true | undefined][] = [
    [{}, undefined],
    [{ [icc]: "true" }, undefined],
    [{ [icc]: "" }, undefined],
    [{ [icc]: "false" }, true],
    [{ [icc]: "0" }, true],
  ];
  for (const [Options, keepsApart] of cases)
    it(`with options ${JSON.stringify(Options)}`, () =>
      assert.equal(parseNetwork({ Id: networkId, Options })[0]?.keepsApart, keepsApart));

  it("is none where it is only settings for others", () => {
    const settings = { Id: networkId, Name: "settings", Driver: "null", Labels: { "dockerwall.allow": "" } };
    assert.deepEqual(parseNetwork({ ...settings, ConfigOnly: true }), []);
    assert.equal(parseNetwork({ ...settings, ConfigOnly: false }).length, 1);
  });
});

describe("the file that a container has for its /etc/hosts", () => {
  const HostsPath = "/var/lib/docker/containers/c1/hosts";
  const mounted = (Destination: string): object => ({ Mounts: [{ Source: "/srv/own", Destination }] });
  const cases: readonly [what: string, answer: object, file: string | undefined][] = [
    ["of an engine that does not say", {}, undefined],
    ["of a container that has none yet", { HostsPath: "" }, undefined],
    ["of the engine", { HostsPath, ...mounted("/etc/hostname") }, HostsPath],
    ["that it is given in its place", { HostsPath, ...mounted("/etc/hosts") }, "/srv/own"],
  ];
  for (const [what, answer, file] of cases)
    it(what, () => assert.equal(parseContainer({ Id: "c1", ...answer })[0]?.hostsFile, file));
});

describe("the firewall", () => {
  const answers: readonly [name: string, info: Record<string, unknown>, driver: string | undefined][] = [
    ["of an engine that does not say", {}, undefined],
    ["by iptables", { FirewallBackend: { Driver: "iptables" } }, "iptables"],
    [
      "by iptables, with firewalld",
      { FirewallBackend: { Driver: "iptables+firewalld", Info: [["ReloadedAt", "2025-11-28T10:00:00Z"]] } },
      "iptables+firewalld",
    ],
    ["by nftables", { FirewallBackend: { Driver: "nftables" } }, "nftables"],
    [
      "by nftables, with firewalld and other keys",
      {
        FirewallBackend: {
          Driver: "nftables+firewalld",
          Info: [
            ["EnableUserlandProxy", "true"],
            ["ReloadedAt", "2025-11-28T10:00:00Z"],
          ],
        },
      },
      "nftables+firewalld",
    ],
  ];
  for (const [name, info, driver] of answers)
    it(name, async () => {
      await using fake = await startFakeEngine({ least: "1.44", most: "1.52" });
      fake.info = info;
      assert.equal(await connectEngine(fake.socket, () => undefined).firewallDriver(), driver);
    });
});

describe("live-restore", () => {
  const answers: readonly [name: string, info: Record<string, unknown>, keeps: boolean][] = [
    ["that is on", { LiveRestoreEnabled: true }, true],
    ["that is off", { LiveRestoreEnabled: false }, false],
    ["of which nothing is said", {}, false],
    ["of another kind", { LiveRestoreEnabled: "true" }, false],
  ];
  for (const [name, info, keeps] of answers)
    it(name, async () => {
      await using fake = await startFakeEngine({ least: "1.44", most: "1.52" });
      fake.info = info;
      assert.equal(await connectEngine(fake.socket, () => undefined).keepsContainers(), keeps);
    });
});
