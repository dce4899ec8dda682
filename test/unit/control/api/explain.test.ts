// `explain` of containers without a sandbox of their own, and of those that do not run.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { InForce } from "../../../../src/control/api/context/in-force.ts";
import type { ExplanationSources } from "../../../../src/control/api/explain/sources.ts";
import { explainTarget } from "../../../../src/control/api/explain.ts";
import type { Classification } from "../../../../src/core/classify/networks.ts";
import { setNames } from "../../../../src/core/firewall/names.ts";
import type { LookupTally } from "../../../../src/core/journal/lookups.ts";
import { hostPrefix, type IpAddress } from "../../../../src/core/model/address.ts";
import type { ExplainReport } from "../../../../src/core/model/report/explain.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import { noEntry, type PolicyFinding } from "../../../../src/core/path/policy.ts";
import type { PathReading } from "../../../../src/core/path/reading.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import { epochMs } from "../../../../src/edge/kernel/monotonic.ts";
import type { PathRequest } from "../../../../src/planes/request-table.ts";
import { createFakeSets } from "../../../support/fake-sets.ts";
import { listOf, presets } from "../../../support/policies.ts";
import {
  bridgeNetwork,
  guardedNetwork,
  newContainer,
  runningContainer,
} from "../../../support/topologies.ts";

const network = bridgeNetwork("app", "198.19.1.0/24");
const guarded = [{ ...guardedNetwork(network), bridge: "br-app" }];
const sharing = (id: string, networkMode: string, running = true): Container => ({
  ...newContainer(id, "app"),
  running,
  networkMode,
});
const inForce: InForce = {
  topology: {
    networks: [network],
    containers: [
      runningContainer("web", "app", "198.19.1.2"),
      sharing("side", "container:web"),
      sharing("hosted", "host"),
      sharing("lone", "none"),
      sharing("asleep", "app", false),
      sharing("orphan", "container:asleep"),
    ],
  },
  classification: {
    guarded,
    problems: new Map(),
    hostEntries: [],
    containers: { services: [], unguarded: [], problems: [] },
  } as unknown as Classification,
  quarantine: new Set(["web"]),
  presets,
  uptimeMs: 0,
};

const behindHost = { protocol: 6, address: "0.0.0.0" as IpAddress, from: 9000, to: 9002 };
const webAddress = "198.19.1.2" as IpAddress;
const publicAddress = "203.0.113.5" as IpAddress;

interface Asking {
  readonly within?: InForce;
  readonly reading?: Partial<PathReading>;
  readonly target?: string;
  readonly history?: Partial<ExplanationSources["history"]>;
  /** What grants of web there are, with their comments. */
  readonly open?: readonly (readonly [destination: string, comment: string])[];
  /** What rights of web to many ports there are, to 203.0.113.1. */
  readonly pairs?: readonly (readonly [protocol: number, port: number, comment: string])[];
  /** What the set of quarantine holds, with comments. */
  readonly cutOff?: readonly [address: string, comment: string | undefined][];
  /** Its /etc/resolv.conf. */
  readonly resolvConf?: string;
  /** The only name that has an address, 203.0.113.5, which an entry opens. */
  readonly answered?: string;
}

async function explain(
  container: string,
  {
    within = inForce,
    reading = {},
    target = "203.0.113.1:443",
    history = {},
    open = [],
    pairs = [],
    cutOff = [],
    ...file
  }: Asking = {},
): Promise<{ report: ExplainReport; asked: readonly string[]; hosts: readonly string[] }> {
  let found: readonly string[] = [];
  const { resolvConf, answered } = file;
  const asked: string[] = [];
  const sets = createFakeSets(() => 0);
  createSets(sets);
  for (const [first, comment] of open) {
    const key = { kind: "ip-port-ip", first: first as IpAddress, second: webAddress } as const;
    sets.add(setNames.grant4, [{ key: { ...key, protocol: 6, port: 443 }, timeoutSeconds: 300, comment }]);
  }
  for (const [protocol, port, comment] of pairs) {
    const key = { kind: "ip-port-ip", first: "203.0.113.1" as IpAddress, second: webAddress } as const;
    sets.add(setNames.pair4, [{ key: { ...key, protocol, port }, timeoutSeconds: 300, comment }]);
  }
  for (const [address, comment] of cutOff) {
    const key = { kind: "net", prefix: hostPrefix(address as IpAddress) } as const;
    sets.add(setNames.quarantine4, [{ key, ...(comment === undefined ? {} : { comment }) }]);
  }
  const report = await explainTarget({ container, target }, within, {
    sets,
    flows: () => [],
    hostAddresses: () => [],
    bridgesFiltered: () => true,
    notForwarded: () => [],
    portProxies: () => undefined,
    history: { lookups: () => [], namesOf: () => new Map(), ...history },
    hostsFile: ({ name }) => `203.0.113.9 ${name}.example.com`,
    resolvConf: () => resolvConf,
    directAccess: async () => new Map(),
    readPath: async ({ containerId, hosts, target: { name, address } }: PathRequest) => {
      found = hosts;
      asked.push(containerId);
      const outward = { kind: "none" } as const;
      const nothing = { name: undefined, hosts: [], answers: [], packets: [] };
      const way = { kind: "bridge", source: webAddress, bridge: "br-app" } as const;
      const to = address ?? (name !== undefined && name === answered ? publicAddress : undefined);
      const policy = { ...noEntry, reason: address === undefined ? "entry" : "no-entry" } as const;
      const packets = to === undefined ? [] : [{ destination: to, way, ownsSource: true, policy }];
      const looked = resolvConf === undefined ? {} : { packets };
      return { standing: "guarded", homes: ["app"], ...nothing, ...looked, outward, ...reading };
    },
  });
  return { report, asked, hosts: found };
}

describe("explain where a set of the kernel is full", () => {
  const within: InForce = { ...inForce, quarantine: new Set() };
  const way = { kind: "bridge", source: webAddress, bridge: "br-app" } as const;
  const packet = { destination: publicAddress, way, ownsSource: true };
  const reading = { packets: [{ ...packet, policy: { ...noEntry, reason: "entry" } as const }] };
  const told = async (cutOff: Asking["cutOff"]) => {
    const { report } = await explain("web", {
      within,
      reading,
      target: publicAddress,
      ...(cutOff && { cutOff }),
    });
    return [report.verdict, report.step, report.quarantined, report.advice];
  };

  it("says that the address is cut off instead", async () => {
    assert.deepEqual(await told([[webAddress, undefined]]), [
      "dropped",
      "set-full",
      false,
      "take web off networks that it does not need, or others off theirs, and see dockerwall status",
    ]);
  });
  it("says nothing of another address", async () => {
    assert.deepEqual((await told([["198.19.1.77", undefined]])).slice(0, 2), ["passes", "entry"]);
  });
  it("says nothing of what is cut off under a name", async () => {
    assert.deepEqual((await told([[webAddress, "web"]])).slice(0, 2), ["passes", "entry"]);
  });
});

describe("explain of a name, by the container's own /etc/resolv.conf", () => {
  const { networks, containers } = inForce.topology;
  const within: InForce = {
    ...inForce,
    topology: { networks, containers: [...containers, runningContainer("dns", "app", "198.19.1.9")] },
    quarantine: new Set(),
  };
  const told = async (target: string, resolvConf: string, answered?: string): Promise<readonly unknown[]> => {
    const asking = { within, target, resolvConf, ...(answered === undefined ? {} : { answered }) };
    const { report } = await explain("web", asking);
    const { verdict, step, searched, resolvers = [] } = report;
    return [`${verdict} ${step}`, searched, ...resolvers.map(({ server }) => server)];
  };
  const docker = "nameserver 127.0.0.11\nsearch corp.example\noptions ndots:0\n";

  it("goes through its search list until a name has an address", async () => {
    assert.deepEqual(await told("build", docker, "build.corp.example"), [
      "passes entry",
      "build.corp.example",
    ]);
    assert.deepEqual(await told("www.example.com", docker, "www.example.com"), ["passes entry", undefined]);
  });

  it("judges the name as it is written where none has one", async () => {
    assert.deepEqual(await told("www.example.com", docker), ["refused no-entry", undefined]);
  });

  it("says that a neighbour answers, of which nothing is known", async () => {
    assert.deepEqual(await told("www.example.com", "nameserver 198.19.1.9", "www.example.com"), [
      "unknown other-resolver",
      undefined,
      "198.19.1.9",
    ]);
  });

  it("says that nobody answers", async () => {
    assert.deepEqual(await told("www.example.com", "nameserver 198.19.1.8", "www.example.com"), [
      "unknown other-resolver",
      undefined,
      "198.19.1.8",
    ]);
  });

  it("names servers that are held, before the one that answers", async () => {
    const text = `nameserver fe80::1\n${docker}`;
    assert.deepEqual(await told("www.example.com", text, "www.example.com"), [
      ...["passes entry", undefined],
      ...["fe80::1"],
    ]);
  });

  it("takes any server whose lookups are led to us for ours", async () => {
    const text = "nameserver 203.0.113.53";
    assert.deepEqual(await told("www.example.com", text, "www.example.com"), ["passes entry", undefined]);
  });
});

describe("explain", () => {
  it("asks for the container whose network is shared", async () => {
    const { report, asked } = await explain("side");
    assert.deepEqual(asked, ["web"]);
    assert.deepEqual([report.container, report.step, report.quarantined], ["side", "quarantine", true]);
    assert.equal(report.advice, "docker exec dockerwall release web");
  });

  it("looks for a name in the file of the container that was asked for", async () => {
    const found = async (container: string, target: string) => (await explain(container, { target })).hosts;
    assert.deepEqual(await found("web", "web.example.com"), ["203.0.113.9"]);
    assert.deepEqual(await found("side", "side.example.com"), ["203.0.113.9"]);
    assert.deepEqual(await found("side", "web.example.com"), []);
    assert.deepEqual(await found("web", "203.0.113.9"), []);
  });

  it("advises no entry while one may stand in a label that is misnamed, and tells what is wrong with the labels", async () => {
    const onNetwork = 'network "app", label dockerwall.mode: it is "adit", but must be enforce or audit';
    const ofWeb =
      'container "web", label dockerwall.alow: there is no such label; did you mean dockerwall.allow?';
    const way = { kind: "bridge", source: "198.19.1.2" as IpAddress, bridge: "br-app" } as const;
    const reading: Partial<PathReading> = {
      packets: [{ destination: "203.0.113.1" as IpAddress, way, ownsSource: true, policy: noEntry }],
      outward: way,
    };
    const explained = async (labels: Readonly<Record<string, string>>, problems: readonly string[]) => {
      const containers = {
        ...inForce.classification.containers,
        problems: [ofWeb, 'container "web2", x: no'],
      };
      const classification = {
        ...inForce.classification,
        problems: new Map([["app", problems]]),
        ...(problems.length > 0 && { containers }),
      };
      const labelled = inForce.topology.containers.map((each) =>
        each.name === "web" ? { ...each, labels } : each,
      );
      const topology = { ...inForce.topology, containers: labelled };
      const within = { ...inForce, classification, topology, quarantine: new Set<string>() };
      const { report } = await explain("web", { within, reading });
      return [report.step, report.advice, report.problems];
    };
    const advice =
      "write 203.0.113.1/32:443/tcp into dockerwall.allow of network app, or of this container alone";
    assert.deepEqual(await explained({}, []), ["no-entry", advice, []]);
    assert.deepEqual(await explained({}, [onNetwork]), ["no-entry", advice, [onNetwork, ofWeb]]);
    assert.deepEqual(await explained({ "dockerwall.alow": "203.0.113.1" }, [onNetwork]), [
      "no-entry",
      `correct this first: ${ofWeb}`,
      [onNetwork, ofWeb],
    ]);
  });

  const free = { ...inForce, quarantine: new Set<string>() };
  const to = (destination: string, policy: Partial<PolicyFinding>, isOpen = false): Partial<PathReading> => {
    const way = { kind: "bridge", source: webAddress, bridge: "br-app" } as const;
    const packet = { destination: destination as IpAddress, way, ownsSource: true, isOpen };
    return { packets: [{ ...packet, policy: { ...noEntry, ...policy } }], outward: way };
  };

  it("says of an allowed name whether a lookup of it is in force, and when the last one was", async () => {
    const tally = (id: string, lastSeenMs: number, allowed = true): LookupTally => ({
      ...{ networkId: "app", asker: webAddress, container: { id, name: id }, domain: "www.example.org" },
      ...{ type: undefined, allowed, trouble: undefined, count: 1, lastSeenMs },
      ...{ granted: [], refused: [], mayExist: true },
    });
    const lookups = () => [
      tally("web", 3_000),
      tally("web", 5_000),
      tally("web", 9_000, false),
      tally("tool", 9_000),
    ];
    const due = async (change: Asking) => {
      const reading = to("203.0.113.1", { reason: "entry" });
      const asking = { within: free, target: "www.example.org:443", reading, ...change };
      const { report } = await explain("web", asking);
      assert.equal(report.verdict, change.reading === undefined ? "passes" : report.verdict);
      return report.lookupDue;
    };
    assert.deepEqual(await due({}), {});
    const { lastMs } = (await due({ history: { lookups } })) ?? {};
    assert.ok(Math.abs((lastMs ?? 0) - epochMs(5_000)) < 1_000, `${lastMs}`);
    // One of its addresses is open, or another that an earlier answer had.
    assert.equal(await due({ reading: to("203.0.113.1", { reason: "entry" }, true) }), undefined);
    assert.equal(await due({ open: [["203.0.113.2", "www.example.org"]] }), undefined);
    const namesOf = () => new Map([["203.0.113.2" as IpAddress, ["www.example.org", "other.example.org"]]]);
    assert.equal(
      await due({ open: [["203.0.113.2", "other.example.org"]], history: { namesOf } }),
      undefined,
    );
    assert.deepEqual(await due({ open: [["203.0.113.2", "other.example.org"]] }), {});
    // In audit mode it passes without one.
    const audited = guarded.map((each) => ({ ...each, labels: { ...each.labels, mode: "audit" as const } }));
    const classification = { ...free.classification, guarded: audited };
    assert.equal(await due({ within: { ...free, classification } }), undefined);
    // What no lookup would open has no need of one.
    assert.equal(await due({ reading: to("203.0.113.1", { reason: "port" }) }), undefined);
    assert.equal(await due({ target: "203.0.113.1:443" }), undefined);
  });

  it("tells of what the kernel holds for the port that is asked for, each once", async () => {
    const told = async (target: string): Promise<readonly string[]> => {
      const reading = to("203.0.113.1", { reason: "entry" });
      const open = ["203.0.113.1", "www.example.org"] as const;
      const pairs = [
        [6, 8000, "8000-8099 www.example.org"],
        [17, 8000, "8000-8099 www.example.org"],
        [17, 8000, "8000-8099/udp api.example.org"],
      ] as const;
      const asking = { within: free, target, reading, open: [open], pairs };
      const { entries } = (await explain("web", asking)).report;
      return entries.map(({ set, service, comment }) => `${set} ${service} ${comment}`);
    };
    const wide = "pair 8000-8099 8000-8099 www.example.org";
    const udp = "pair 8000-8099/udp 8000-8099/udp api.example.org";
    assert.deepEqual(await told("203.0.113.1"), ["grant tcp:443 www.example.org", wide, udp]);
    assert.deepEqual(await told("203.0.113.1:8001"), [wide]);
    assert.deepEqual(await told("203.0.113.1:8001/udp"), [wide, udp]);
    assert.deepEqual(await told("203.0.113.1:443"), ["grant tcp:443 www.example.org"]);
    assert.deepEqual(await told("203.0.113.1:443/udp"), []);
  });

  it("says which neighbour looked up an address that the container has from elsewhere", async () => {
    const lists = [listOf("www.example.org:443")];
    const within: InForce = {
      ...free,
      topology: {
        ...free.topology,
        containers: [...free.topology.containers, runningContainer("dns", "app", "198.19.1.9")],
      },
      classification: { ...free.classification, guarded: guarded.map((each) => ({ ...each, lists })) },
    };
    const by = async (name: string, container = "dns") => {
      const names = new Map([["203.0.113.1" as IpAddress, [name]]]);
      const namesOf = (id: string) => (id === container ? names : new Map());
      const asking = { within, reading: to("203.0.113.1", {}), history: { namesOf } };
      return (await explain("web", asking)).report.lookedUpBy;
    };
    assert.deepEqual(await by("www.example.org"), { container: "dns", name: "www.example.org" });
    assert.equal(await by("other.example.org"), undefined);
    assert.equal(await by("www.example.org", "web"), undefined);
  });

  it("says of the host's network that nothing is filtered there", async () => {
    const { report, asked } = await explain("hosted");
    assert.deepEqual([report.verdict, report.step, asked], ["not-ours", "host-network", []]);
  });

  it("says of the host's network that a container in quarantine does not answer it", async () => {
    const within: InForce = {
      ...inForce,
      topology: {
        ...inForce.topology,
        containers: inForce.topology.containers.map((each) =>
          each.id === "web" ? { ...each, hostPorts: [behindHost] } : each,
        ),
      },
    };
    const stepTo = async (target: string): Promise<string> => {
      const { step, advice } = (await explain("hosted", { within, target })).report;
      assert.equal(advice, step === "host-network" ? undefined : "docker exec dockerwall release web");
      return step;
    };
    assert.equal(await stepTo(`${webAddress}:9000`), "neighbour-quarantined");
    assert.equal(await stepTo("198.18.1.2:9001"), "neighbour-quarantined");
    assert.equal(await stepTo("198.18.1.2:9003"), "host-network");
    assert.equal(
      (await explain("hosted", { within: free, target: `${webAddress}:9000` })).report.step,
      "host-network",
    );
  });

  it("says of a container without a network that it sends nothing", async () => {
    const { report, asked } = await explain("lone");
    assert.deepEqual([report.verdict, report.step, asked], ["no-route", "no-network", []]);
  });

  for (const name of ["asleep", "orphan"]) {
    it(`refuses ${name}: what it uses does not run`, async () => {
      await assert.rejects(explain(name), { code: "NOT_FOUND", message: /container "asleep" does not run/ });
    });
  }
});
