// `explain` of containers without a sandbox of their own, and of those that do not run.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explainTarget } from "../../../../src/control/api/explain.ts";
import type { Present } from "../../../../src/control/api/in-force.ts";
import type { Classification } from "../../../../src/core/classify/networks.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { ExplainReport } from "../../../../src/core/model/report.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import { noEntry } from "../../../../src/core/path/policy.ts";
import type { PathReading } from "../../../../src/core/path/reading.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import type { PathRequest } from "../../../../src/planes/messages.ts";
import { createFakeSets } from "../../../support/fake-sets.ts";
import { presets } from "../../../support/policies.ts";
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
const present: Present = {
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
    containers: { services: [] },
  } as unknown as Classification,
  quarantine: new Set(["web"]),
  presets,
  nowMs: 0,
  uptimeMs: 0,
};

async function explain(
  container: string,
  {
    within = present,
    reading = {},
    target = "203.0.113.1:443",
  }: { within?: Present; reading?: Partial<PathReading>; target?: string } = {},
): Promise<{ report: ExplainReport; asked: readonly string[]; hosts: readonly string[] }> {
  let found: readonly string[] = [];
  const asked: string[] = [];
  const sets = createFakeSets(() => 0);
  createSets(sets);
  const report = await explainTarget({ container, target }, within, {
    sets,
    flows: () => [],
    hostAddresses: () => [],
    bridgesFiltered: () => true,
    hostsFile: ({ name }) => `203.0.113.9 ${name}.example.com`,
    readPath: async ({ containerId, hosts }: PathRequest) => {
      found = hosts;
      asked.push(containerId);
      const outward = { kind: "none" } as const;
      const nothing = { name: undefined, hosts: [], answers: [], packets: [] };
      return { standing: "guarded", homes: ["app"], ...nothing, outward, ...reading };
    },
  });
  return { report, asked, hosts: found };
}

describe("explain", () => {
  it("asks for the container whose network is shared", async () => {
    const { report, asked } = await explain("side");
    assert.deepEqual(asked, ["web"]);
    assert.deepEqual([report.container, report.step, report.quarantined], ["side", "quarantine", true]);
    assert.equal(report.advice, "dockerwall release web");
  });

  it("looks for a name in the file of the container that was asked for", async () => {
    const found = async (container: string, target: string) => (await explain(container, { target })).hosts;
    assert.deepEqual(await found("web", "web.example.com"), ["203.0.113.9"]);
    assert.deepEqual(await found("side", "side.example.com"), ["203.0.113.9"]);
    assert.deepEqual(await found("side", "web.example.com"), []);
    assert.deepEqual(await found("web", "203.0.113.9"), []);
  });

  it("advises no entry while a label cannot be read, in which it may stand", async () => {
    const problem = 'network "app", label dockerwall.allow: entry "a,b" is no name';
    const way = { kind: "bridge", source: "198.19.1.2" as IpAddress, bridge: "br-app" } as const;
    const reading: Partial<PathReading> = {
      packets: [{ destination: "203.0.113.1" as IpAddress, way, ownsSource: true, policy: noEntry }],
      outward: way,
    };
    const explained = async (problems: readonly string[]) => {
      const classification = { ...present.classification, problems: new Map([["app", problems]]) };
      const within = { ...present, classification, quarantine: new Set<string>() };
      const { report } = await explain("web", { within, reading });
      return [report.step, report.advice, report.problems];
    };
    const advice =
      "write 203.0.113.1/32:443/tcp into dockerwall.allow of network app, or of this container alone";
    assert.deepEqual(await explained([]), ["no-entry", advice, []]);
    assert.deepEqual(await explained([problem]), ["no-entry", undefined, [problem]]);
  });

  it("says of the host's network that nothing is filtered there", async () => {
    const { report, asked } = await explain("hosted");
    assert.deepEqual([report.verdict, report.step, asked], ["not-ours", "host-network", []]);
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
