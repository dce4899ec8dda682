// The networks and containers that a project would make, as the engine would tell of them: so the daemon's own code
// can judge them before they are there.

import { hazardsOf } from "../classify/hazards.ts";
import type { ComposeNetwork, ComposeService, Project, WrittenLabel } from "../compose/project.ts";
import type { Container, Network, Topology } from "../model/topology.ts";

/** Docker's own network for who is on no other; it cannot be labelled. */
const dockersBridge = "bridge";

/** How a service asks for it. */
const asksForIt: ReadonlySet<string | undefined> = new Set([dockersBridge, "default"]);

/** Networks and containers have the names of the file as their names and ids; external networks are left out. */
export function topologyOf({ networks, services }: Project): Topology {
  const known = networks.filter(({ external }) => !external);
  const onDockers = services.some(({ networkMode }) => asksForIt.has(networkMode));
  const taken = known.some(({ key }) => key === dockersBridge);
  const own =
    onDockers && !taken
      ? [networkOf({ key: dockersBridge, driver: "bridge", internal: false, labels: [] })]
      : [];
  const all = [...known.map(networkOf), ...own];
  const labelled = new Set(known.filter(isLabelled).map(({ key }) => key));
  return {
    networks: all,
    containers: services.map((service) => containerOf(service, all, labelled)),
  };
}

function isLabelled({ labels }: ComposeNetwork): boolean {
  return labels.length > 0;
}

/** The name of the bridge that stands for a network's. */
export function bridgeOf({ key }: Pick<ComposeNetwork, "key">): string {
  return `br-${key}`;
}

function networkOf(network: Pick<ComposeNetwork, "key" | "driver" | "internal" | "labels">): Network {
  const { key, driver, internal, labels } = network;
  return {
    id: key,
    name: key,
    driver,
    bridge: driver === "bridge" ? bridgeOf(network) : undefined,
    subnets: [],
    gateways: [],
    internal,
    labels: textsOf(labels),
  };
}

function containerOf(
  service: ComposeService,
  networks: readonly Network[],
  labelled: ReadonlySet<string>,
): Container {
  const { name, labels, host } = service;
  const { networkMode = service.networks[0] ?? "none" } = service;
  const joined = asksForIt.has(service.networkMode) ? [dockersBridge] : service.networks;
  const here = joined.filter((key) => networks.some(({ id }) => id === key));
  const isKnown = here.length === joined.length && !isElsewhere(networkMode, service);
  return {
    id: name,
    name,
    labels: textsOf(labels),
    // One that does not run is not told that none of its networks is guarded: of those that are not here nobody knows.
    running: isKnown || here.some((key) => labelled.has(key)),
    networkMode: networkMode.replace(/^service:/, "container:"),
    sandbox: undefined,
    endpoints: here.map((networkId) => ({ networkId, addresses: [], aliases: [], links: [] })),
    configured: isKnown ? joined : ["elsewhere"],
    hazards: hazardsOf(host),
  };
}

/** On the network of something that the files do not define. */
function isElsewhere(mode: string, { networkMode }: ComposeService): boolean {
  return networkMode !== undefined && !/^(host|none|bridge|default|service:.*)$/.test(mode);
}

function textsOf(labels: readonly WrittenLabel[]): Record<string, string> {
  return Object.fromEntries(labels.map(({ name, value }) => [name, value]));
}
