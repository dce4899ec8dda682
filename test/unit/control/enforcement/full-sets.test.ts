// A full set is a problem of its own: the picture is posted all the same, and what found no place is closed.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { createEnforcement, type Enforcement } from "../../../../src/control/enforcement.ts";
import { createLifecycle } from "../../../../src/control/lifecycle.ts";
import type { Reporter } from "../../../../src/control/reporter.ts";
import { createWall } from "../../../../src/control/wall.ts";
import type { Classification } from "../../../../src/core/classify/networks.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Container, Network, Topology } from "../../../../src/core/model/topology.ts";
import { createLog } from "../../../../src/edge/host/log.ts";
import type { Firewall } from "../../../../src/edge/kernel/firewall.ts";
import type { DataPlaneLink } from "../../../../src/planes/link.ts";
import { createFakeSets, type FakeSets } from "../../../support/fake-sets.ts";
import { quietHost } from "../../../support/policies.ts";
import { bridgeNetwork, runningContainer } from "../../../support/topologies.ts";

const app: Network = { ...bridgeNetwork("app", "198.19.1.0/24"), labels: { "dockerwall.allow": "" } };

let sets: FakeSets;
let topology: Topology;
let enforcement: Enforcement;
let classified: Classification | undefined;
let happened: string[];

beforeEach(() => {
  sets = createFakeSets(() => 0);
  topology = { networks: [], containers: [] };
  classified = undefined;
  happened = [];
  const reporter: Partial<Reporter> = {
    onClassified: (_topology, classification) => {
      classified = classification;
    },
    onEnforced: (ids) => void happened.push(`enforced: ${ids}`),
    onProblem: (place, problem) => void happened.push(`${place}: ${problem}`),
    clearProblem: () => undefined,
  };
  const dataPlane: Partial<DataPlaneLink> = {
    post: async () => void happened.push("posted"),
    tellReadings: () => undefined,
  };
  const firewall: Partial<Firewall> = { apply: async () => [], dryRun: async () => undefined };
  const wall = createWall({
    sets,
    firewall: firewall as Firewall,
    dnsPort: 5053,
    queueNumber: 5353,
    hold: true,
    listBridges: () => topology.networks.flatMap(({ bridge }) => bridge ?? []),
    ...quietHost(),
  });
  enforcement = createEnforcement({
    nowMs: () => 0,
    wall,
    lifecycle: createLifecycle(
      () => undefined,
      () => 0,
    ),
    reporter: reporter as Reporter,
    log: createLog("error"),
    inventory: {
      current: () => topology,
      readings: () => ({ listedAtMs: 1, readAtMs: new Map() }),
      isReading: () => false,
    },
    beforePost: () => undefined,
    dataPlane: () => dataPlane as DataPlaneLink,
    guardsPorts: false,
  });
});

/** Takes a picture as at a start, and one more round. @returns the problems */
async function use(
  networks: readonly Network[],
  containers: readonly Container[],
): Promise<readonly string[]> {
  topology = { networks, containers };
  enforcement.usePicture();
  await enforcement.reconcile();
  assert.deepEqual(happened, ["posted", "enforced: app"]);
  return classified?.containers.problems ?? assert.fail();
}

function both(other: Network, address: string): Container {
  const web = runningContainer("web", "app", "198.19.1.2");
  const [home] = web.endpoints;
  const more = { networkId: other.id, addresses: [address as IpAddress], aliases: [], links: [] };
  return { ...web, endpoints: [home ?? assert.fail(), more] };
}

describe("a set that is full", () => {
  it("is none for a container on more networks than one set holds entries with one address", async () => {
    const others = [...Array(70).keys()].map((index) => bridgeNetwork(`n${index}`, `10.0.${index}.0/24`));
    const [home] = runningContainer("web", "app", "198.19.1.2").endpoints;
    const web: Container = {
      ...runningContainer("web", "app", "198.19.1.2"),
      endpoints: [
        home ?? assert.fail(),
        ...others.map(({ id }, index) => ({
          networkId: id,
          addresses: [`10.0.${index}.2` as IpAddress],
          aliases: [],
          links: [],
        })),
      ],
    };
    assert.deepEqual(await use([app, ...others], [web]), []);
    const guarded = sets.dump().filter((line) => /^dockerwall-guarded4(-\d+)? 198\.19\.1\.2\/32,/.test(line));
    assert.equal(guarded.length, 71);
  });

  it("cuts off an address that would pass where its container is on an open network", async () => {
    const other = bridgeNetwork("open", "10.0.0.0/24");
    const list = sets.list;
    // Of every part there is.
    for (let part = 0; part < 64; part++)
      sets.limit(part === 0 ? "dockerwall-guarded4" : `dockerwall-guarded4-${part}`, part === 0 ? 3 : 0);
    const problems = await use([app, other], [both(other, "10.0.0.2")]);
    assert.equal(problems.length, 1);
    assert.match(
      problems[0] ?? "",
      /^set dockerwall-guarded4 is full, and 1 entry found no place, 10\.0\.0\.2 on br-open of "web" among them: these addresses are cut off; take their containers off some networks$/,
    );
    assert.deepEqual(
      list("dockerwall-quarantine4").map(({ key, comment }) => [
        key.kind === "net" && key.prefix.address,
        comment,
      ]),
      [["10.0.0.2", undefined]],
    );
  });

  it("keeps the ports of who publishes few, and closes those of who publishes most", async () => {
    const routed = { ...app, gatewayModes: { 4: "routed" as const } };
    sets.limit("dockerwall-published4", 6);
    const publishing = (id: string, address: string, ports: number): Container => ({
      ...runningContainer(id, "app", address),
      publishes: [...Array(ports).keys()].map((port) => ({ protocol: 6, port: port + 1 })),
    });
    const problems = await use(
      [routed],
      [publishing("every", "198.19.1.2", 9), publishing("few", "198.19.1.3", 2)],
    );
    assert.match(
      problems.join("\n"),
      /^set dockerwall-published4 is full, and 7 entries found no place, 198\.19\.1\.2 TCP 4 of "every" among them: these ports stay closed/,
    );
    const held = sets.dump().filter((line) => line.startsWith("dockerwall-published4"));
    assert.equal(held.filter((line) => line.endsWith("few")).length, 3);
    assert.equal(held.length, 6);
  });

  it("tells no more of what has found its place since", async () => {
    const other = bridgeNetwork("open", "10.0.0.0/24");
    sets.limit("dockerwall-published4", 0);
    const routed = { ...app, gatewayModes: { 4: "routed" as const } };
    assert.equal((await use([routed, other], [both(other, "10.0.0.2")])).length, 1);
    happened = [];
    sets.limit("dockerwall-published4", 9);
    assert.deepEqual(await use([routed, other], [both(other, "10.0.0.2")]), []);
  });
});
