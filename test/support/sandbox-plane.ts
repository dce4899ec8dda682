// The real data plane in its worker thread, beside bridges and sandboxes as an engine makes them, in the namespaces of
// a kernel test. Sandboxes are those that createNamespace() makes.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { createWall } from "../../src/control/wall.ts";
import type { CounterReading } from "../../src/core/counters/reading.ts";
import { type IpAddress, parsePrefix } from "../../src/core/model/address.ts";
import type { Picture } from "../../src/core/model/picture.ts";
import type { Container, Network } from "../../src/core/model/topology.ts";
import { type KernelSets, openKernelSets } from "../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../src/edge/kernel/iptables/firewall.ts";
import { type DataPlaneLink, startDataPlane } from "../../src/planes/link.ts";
import { run, type TestNamespace } from "./namespace.ts";
import { quietHost } from "./policies.ts";
import { unlabelled } from "./topologies.ts";

export const networkOf = (name: string, net: number): Network => ({
  id: name.repeat(16),
  name,
  driver: "bridge",
  bridge: `br-${name}`,
  subnets: [`198.19.${net}.0/24`, `2001:db8:${net}::/64`].flatMap((text) => parsePrefix(text) ?? []),
  gateways: [`198.19.${net}.1` as IpAddress],
  internal: false,
  labels: {},
});

/** The guarded one. */
export const app = networkOf("app", 1);
/** The open one. */
export const plain = networkOf("plain", 3);

export function containerOf(
  name: string,
  sandbox: string | undefined,
  ...on: [Network, string][]
): Container {
  return {
    id: name.repeat(16),
    name,
    labels: {},
    running: sandbox !== undefined,
    networkMode: on[0]?.[0].name ?? "none",
    sandbox,
    endpoints: on.map(([{ id }, address]) => ({
      networkId: id,
      addresses: address === "" ? [] : [address as IpAddress],
      aliases: [],
      links: [],
    })),
    configured: on.map(([{ id }]) => id),
    hazards: [],
  };
}

/** Makes the bridges of the networks, and the folder of the sandboxes. */
export function makeBridges(): void {
  run("mkdir", "-p", "/run/netns");
  for (const { bridge = "", gateways } of [app, plain]) {
    run("ip", "link", "add", bridge, "up", "type", "bridge");
    run("ip", "address", "add", `${gateways[0]}/24`, "dev", bridge);
  }
}

/** The real sets and rules, with nothing in the list of the guarded network. */
export interface StandingWall {
  readonly sets: KernelSets;
  /** Puts back what stands in sets of its own. */
  classify(): void;
  remove(): Promise<void>;
}

export async function raiseWall(): Promise<StandingWall> {
  const sets = openKernelSets();
  const wall = createWall({
    sets,
    firewall: createFirewall("nft"),
    dnsPort: 5053,
    queueNumber: 5353,
    hold: true,
    demandSender: true,
    listBridges: () => [app, plain].flatMap(({ bridge }) => bridge ?? []),
    ...quietHost(),
  });
  const classify = (): void => {
    wall.classify({
      networks: [{ ...app, labels: { "dockerwall.allow": "" } }, plain],
      containers: [],
    });
  };
  classify();
  await wall.applyRules();
  return {
    sets,
    classify,
    async remove() {
      await wall.remove();
      sets.close();
    },
  };
}

/** An interface with addresses, as an engine puts it into a sandbox; the other end is a port of the network's bridge. */
export function join(
  { name, run: inside }: TestNamespace,
  device: string,
  ...addresses: readonly string[]
): string {
  const port = `${name}-${device}`;
  run("ip", "link", "add", port, "type", "veth", "peer", "name", device, "netns", name);
  const { bridge = "" } = addresses[0]?.startsWith("198.19.1.") ? app : plain;
  run("ip", "link", "set", port, "master", bridge, "up");
  for (const address of addresses) inside("ip", "address", "add", address, "dev", device);
  inside("ip", "link", "set", device, "up");
  return port;
}

/** Ports and queues of one that has ended are free with the process only. */
let started = 0;

export interface Plane {
  readonly plane: DataPlaneLink;
  /** The containers that it had the engine read. */
  readonly asked: () => readonly string[];
  readonly problems: readonly string[];
  /** What it says of foreign interfaces now. */
  readonly foreign: () => readonly string[];
  /** Settles when it has told that rules must look further. */
  readonly looksFurther: Promise<void>;
  /** Where a counter of its thread stands; nought until it has told. */
  readonly counted: (name: string) => number;
}

/** Starts one; it fails the test on problems that are not expected. */
export async function startPlane(
  t: Pick<TestContext, "after">,
  {
    expectsProblems = false,
    guardPorts = true,
  }: { readonly expectsProblems?: boolean; readonly guardPorts?: boolean } = {},
): Promise<Plane> {
  const asked: string[] = [];
  started += 1;
  const problems: string[] = [];
  const onProblem = (problem: string): void => {
    if (expectsProblems) problems.push(problem);
    else assert.fail(problem);
  };
  let foreign: readonly string[] = [];
  const further = Promise.withResolvers<void>();
  let counters: readonly CounterReading[] = [];
  const plane = await startDataPlane(
    {
      dnsPort: 5053 + started,
      upstreams: [],
      leaseFloorSeconds: 1,
      leaseGraceSeconds: 1,
      sandboxFolder: "/run/netns",
      guardPorts,
      holdUnsettled: guardPorts,
      queueNumber: 5353 + 3 * started,
    },
    {
      onLookups: () => undefined,
      onFreshAddresses: () => undefined,
      onSecondPart: further.resolve,
      onRefresh: (suspects) => void asked.push(...suspects),
      onListening: () => undefined,
      onSandboxes: (_captured, problem) => {
        if (problem !== undefined) onProblem(problem);
      },
      onForeignInterfaces: (sentences) => {
        foreign = sentences;
      },
      onResolver: (_report, readings) => {
        counters = readings;
      },
      onProblem,
      onDeath: (error) => assert.fail(error),
    },
  );
  t.after(() => plane[Symbol.asyncDispose]());
  const counted = (name: string): number => counters.find((each) => each.name === name)?.value ?? 0;
  return {
    plane,
    asked: () => asked,
    problems,
    foreign: () => foreign,
    looksFurther: further.promise,
    counted,
  };
}

/** Posts a picture of no container, in which these bridges are part of another device. */
export async function postEnslaved(plane: DataPlaneLink, ...enslaved: readonly string[]): Promise<void> {
  await plane.post({ ...pictureOf([]), enslaved });
}

/** Posts what the engine tells: these containers, of which some are in quarantine by name. */
export async function post(
  plane: DataPlaneLink,
  containers: readonly Container[],
  ...quarantined: readonly string[]
): Promise<void> {
  await plane.post(pictureOf(containers, ...quarantined));
}

function pictureOf(containers: readonly Container[], ...quarantined: readonly string[]): Picture {
  return {
    topology: { networks: [app, plain], containers },
    guarded: [{ ...app, lists: [], labels: unlabelled }],
    services: [],
    quarantined: quarantined.map((name) => name.repeat(16)),
  };
}
