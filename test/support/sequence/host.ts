// The host and its engine as a sequence of steps changes them: what is true, whether or not it has been told.

import assert from "node:assert/strict";
import type { IpAddress, Prefix } from "../../../src/core/model/address.ts";
import { familyOf, parsePrefix } from "../../../src/core/model/address.ts";
import type { Container, Network, Topology } from "../../../src/core/model/topology.ts";
import { newContainer } from "../topologies.ts";

export interface HostNetwork {
  readonly id: string;
  readonly name: string;
  readonly bridge: string;
  readonly subnets: readonly Prefix[];
  labels: Readonly<Record<string, string>>;
}

export interface HostContainer {
  readonly id: string;
  readonly name: string;
  /** Ids of its networks. */
  readonly networks: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** By the id of each network; none while it does not run. */
  addresses: ReadonlyMap<string, readonly IpAddress[]>;
  running: boolean;
}

export interface Host {
  readonly networks: Map<string, HostNetwork>;
  readonly containers: Map<string, HostContainer>;
  /** Bridges that are not the engine's. */
  readonly bridges: Set<string>;
  /** Bridges with a port that is no container's. */
  readonly strangersOn: Set<string>;
  addresses: readonly IpAddress[];
  /** Whether the engine answers. */
  answers: boolean;
  addNetwork(name: string, place: number, labels: HostNetwork["labels"]): void;
  addContainer(name: string, networks: readonly string[], labels: HostContainer["labels"]): void;
  start(container: HostContainer): void;
  stop(container: HostContainer): void;
  /** @param details "some": of containers no more than that they are there */
  topology(details: "all" | "some"): Topology;
  listBridges(): readonly string[];
}

const places: readonly { readonly bridge?: string; readonly subnets: readonly string[] }[] = [
  { subnets: ["198.18.1.0/24"] },
  { subnets: ["198.18.2.0/24", "2001:db8:2::/64"] },
  { bridge: "app0", subnets: ["198.18.3.0/24", "2001:db8:3::/64"] },
  { bridge: "br-fixed", subnets: ["198.18.1.0/24"] },
  { bridge: "br-fixed", subnets: ["198.18.4.0/24", "2001:db8:2::/64"] },
];

export function createHost(): Host {
  let made = 0;
  const newId = (): string => (++made).toString(16).padStart(8, "0").padEnd(64, "c");
  const networks = new Map<string, HostNetwork>();
  const containers = new Map<string, HostContainer>();

  function freeAddresses(network: HostNetwork): readonly IpAddress[] {
    const taken = new Set(
      [...containers.values()].flatMap(({ addresses }) => [...addresses.values()].flat()),
    );
    return network.subnets.map((subnet) => {
      for (let number = 2; ; number++) {
        const address = addressIn(subnet, number);
        if (!taken.has(address)) return address;
      }
    });
  }

  const host: Host = {
    networks,
    containers,
    bridges: new Set(),
    strangersOn: new Set(),
    addresses: [],
    answers: true,
    addNetwork(name, place, labels) {
      const { bridge, subnets } = places[place % places.length] ?? assert.fail();
      const others = [...networks.values()];
      const isTaken = others.some(
        (other) =>
          other.bridge === bridge ||
          other.subnets.some(({ address }) => subnets.some((subnet) => subnet.startsWith(`${address}/`))),
      );
      if (networks.has(name) || isTaken) return;
      const id = newId();
      const prefixes = subnets.map((subnet) => parsePrefix(subnet) ?? assert.fail(subnet));
      networks.set(name, {
        id,
        name,
        bridge: bridge ?? `br-0000${id.slice(0, 8)}`,
        subnets: prefixes,
        labels,
      });
    },
    addContainer(name, on, labels) {
      if (containers.has(name)) return;
      containers.set(name, { id: newId(), name, networks: on, labels, addresses: new Map(), running: false });
    },
    start(container) {
      const on = [...networks.values()].filter(({ id }) => container.networks.includes(id));
      if (on.length < container.networks.length) return;
      container.addresses = new Map(on.map((network) => [network.id, freeAddresses(network)]));
      container.running = true;
    },
    stop(container) {
      container.addresses = new Map();
      container.running = false;
    },
    topology: (details) => ({
      networks: [...networks.values()].map(networkTold),
      containers: [...containers.values()].map((container) => containerTold(container, details)),
    }),
    listBridges: () => [...new Set([...networks.values()].map(({ bridge }) => bridge)), ...host.bridges],
  };
  return host;
}

/** The n-th address of a subnet. */
export function addressIn({ address, length }: Prefix, number: number): IpAddress {
  const text = familyOf(address) === 4 ? address.replace(/\.0$/, `.${number}`) : `${address}${number}`;
  return (parsePrefix(`${text}/${length}`) && text) as IpAddress;
}

function networkTold({ id, name, bridge, subnets, labels }: HostNetwork): Network {
  return { id, name, bridge, subnets, labels, driver: "bridge", gateways: [], internal: false };
}

function containerTold(container: HostContainer, details: "all" | "some"): Container {
  const { id, name, labels, networks, addresses, running } = container;
  const bare = { ...newContainer(id, networks[0] ?? "none"), name, labels, configured: networks };
  if (details === "some") return bare;
  return {
    ...bare,
    running,
    sandbox: running ? `s${id.slice(0, 8)}` : undefined,
    endpoints: [...addresses].map(([networkId, own]) => ({
      networkId,
      addresses: own,
      aliases: [],
      links: [],
    })),
  };
}
