// What people do to the engine and the host.

import { parseAddress } from "../../../src/core/model/address.ts";
import type { Random } from "../seeded.ts";
import type { HostContainer, HostNetwork } from "./host.ts";
import { pickOf, type Step, type World } from "./step.ts";

const networkNames = ["app", "db", "lab"] as const;
const containerNames = ["web", "worker", "side"] as const;
const networkLabels: readonly HostNetwork["labels"][] = [
  { "dockerwall.allow": "" },
  {},
  { "dockerwall.allow": "a.example.com 203.0.113.0/24 host:5432/tcp" },
  { "dockerwall.allow": "2001:db8:f::/48 !host:5432", "dockerwall.deny": "reject" },
  { "dockerwall.allow": "", "dockerwall.mode": "audit" },
];
const containerLabels: readonly HostContainer["labels"][] = [
  {},
  { "dockerwall.allow": "host:22/tcp 192.0.2.64/26" },
  { "dockerwall.allow": "!host:5432/tcp" },
];

function networkOf({ host }: World, random: Random): HostNetwork | undefined {
  return pickOf([...host.networks.values()], random);
}

function containerOf({ host }: World, running: boolean, random: Random): HostContainer | undefined {
  return pickOf(
    [...host.containers.values()].filter((container) => container.running === running),
    random,
  );
}

/** An engine that is away changes nothing. */
function byEngine(step: Step): Step {
  return (world, chance) => {
    if (!world.host.answers) return;
    step(world, chance);
    world.changed(chance.told);
  };
}

export const hostSteps: Readonly<Record<string, Step>> = {
  "a network is created": byEngine(({ host, story }, { random }) => {
    const name = pickOf(networkNames, random) ?? "app";
    const labels = pickOf(networkLabels, random) ?? {};
    host.addNetwork(name, random(5), labels);
    story.push(`  ${name} ${host.networks.get(name)?.bridge} ${JSON.stringify(labels)}`);
  }),
  "a network is removed": byEngine((world, { random }) => {
    const network = networkOf(world, random);
    if (network === undefined) return;
    const isUsed = [...world.host.containers.values()].some(({ addresses }) => addresses.has(network.id));
    if (!isUsed) world.host.networks.delete(network.name);
    world.story.push(`  ${network.name}${isUsed ? ", which is in use" : ""}`);
  }),
  "a network gets other labels": byEngine((world, { random }) => {
    const network = networkOf(world, random);
    if (network === undefined) return;
    network.labels = pickOf(networkLabels, random) ?? {};
    world.story.push(`  ${network.name} ${JSON.stringify(network.labels)}`);
  }),
  "a container is created": byEngine(({ host, story }, { random }) => {
    const name = pickOf(containerNames, random) ?? "web";
    const ids = [...host.networks.values()].map(({ id }) => id);
    const from = random(ids.length);
    const on = ids.slice(from, from + 1 + random(2));
    host.addContainer(name, on, pickOf(containerLabels, random) ?? {});
    story.push(`  ${name} on ${on.map((id) => id.slice(0, 8))}`);
  }),
  "a container is started": byEngine((world, { random }) => {
    const container = containerOf(world, false, random);
    if (container === undefined) return;
    world.host.start(container);
    world.story.push(`  ${container.name} at ${[...container.addresses.values()]}`);
  }),
  "a container is stopped": byEngine((world, { random }) => {
    const container = containerOf(world, true, random);
    if (container === undefined) return;
    world.host.stop(container);
    world.story.push(`  ${container.name}`);
  }),
  "a container is removed": byEngine((world, { random }) => {
    const container = containerOf(world, false, random);
    if (container === undefined) return;
    world.host.containers.delete(container.name);
    world.story.push(`  ${container.name}`);
  }),
  "a container gets other labels": byEngine((world, { random }) => {
    const container = pickOf([...world.host.containers.values()], random);
    if (container === undefined) return;
    container.labels = pickOf(containerLabels, random) ?? {};
    world.story.push(`  ${container.name} ${JSON.stringify(container.labels)}`);
  }),
  "a bridge of other software comes or goes": ({ host, changed, daemon, story }, { random, told }) => {
    const bridge = pickOf(["br-lan", "br-0123456789ab", "virbr0"], random) ?? "";
    if (!host.bridges.delete(bridge)) host.bridges.add(bridge);
    story.push(`  ${bridge}`);
    changed(told);
    // The kernel tells of bridges.
    if (told) void daemon?.enforcement.reconcile();
  },
  "a port of the host's comes to a bridge or goes": ({ host, changed, daemon, story }, { random, told }) => {
    const bridge = pickOf(host.listBridges(), random);
    if (bridge === undefined) return;
    if (!host.strangersOn.delete(bridge)) host.strangersOn.add(bridge);
    story.push(`  ${bridge}`);
    changed(told);
    if (told) void daemon?.enforcement.reconcile();
  },
  "the host gets another address": ({ host, changed }, { random }) => {
    const address = parseAddress(`192.0.2.${10 + random(3)}`);
    host.addresses = address === undefined ? [] : [address];
    changed(true);
  },
};
