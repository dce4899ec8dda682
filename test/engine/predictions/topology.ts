// Random networks, containers and allowlists, made from a seed: as data first, so that a case can be told and made again.

import type { EngineKind } from "../../support/lab/host.ts";
import type { Random } from "../../support/seeded.ts";

export interface NetworkPlan {
  readonly name: string;
  /** The allowlist; undefined for one that is not guarded. */
  readonly allow: string | undefined;
  readonly labels: readonly string[];
  readonly internal: boolean;
  readonly subnet6: string | undefined;
  /** Of IPv4, where it is another than the engine's own. */
  readonly gatewayMode: "routed" | "nat-unprotected" | "isolated" | undefined;
  /** True where the engine keeps its containers from each other (`enable_icc=false`). */
  readonly keepsApart: boolean;
}

export interface ContainerPlan {
  readonly name: string;
  readonly networks: readonly string[];
  /** Its own allowlist. */
  readonly allow: string | undefined;
  /** Commands that it runs with NET_ADMIN. */
  readonly admin: readonly string[];
  /** Port of the host that leads to its echo server. */
  readonly published: number | undefined;
  readonly quarantined: boolean;
  /** Another one, in whose network it is. */
  readonly shares: string | undefined;
  /** Whether it is on the network of the host itself. */
  readonly isOnHost: boolean;
  readonly isOnWire: boolean;
  /** What it is given for its own /etc/hosts, as `NAME:ADDRESS`. */
  readonly hosts: readonly string[];
  /** Another one with a name that only this one has for it, as `NAME:ALIAS`. */
  readonly links: readonly string[];
}

/** The engine's own network, which nothing guards; who links containers there has them in its /etc/hosts. */
export const defaultNetwork = "bridge";

export interface Plan {
  readonly networks: readonly NetworkPlan[];
  readonly containers: readonly ContainerPlan[];
}

export const names = [
  ...["www", "api", "v4only", "v6only", "allowed", "denied", "shared-a", "shared-b", "mixed", "private10"],
  ...["alias", "offsite", "a.wild", "b.wild", "mapped-public", "nothing"],
].map((label) => `${label}.example.com`);

/** What a container calls one that it links. */
export const linked = "linked";

/** Names that only a container's own /etc/hosts has, or a link. */
export const pinned = ["pinned.example.com", "pinned", linked] as const;

export const outsideAddresses = [
  ...["203.0.113.11", "203.0.113.12", "203.0.113.20", "203.0.113.40", "198.51.100.10", "203.0.113.17"],
  ...["2001:db8:1::11", "2001:db8:1::14", "2001:db8:2::10"],
] as const;

const patterns = [
  ...names.slice(0, 12),
  ...["*.example.com", "*.wild.example.com", "a*.example.com", "www.example.net", "pinned.example.com"],
];
const prefixes = [
  ...["203.0.113.0/28", "203.0.113.12", "198.51.100.10", "198.51.100.0/24", "0.0.0.0/0"],
  ...["2001:db8:1::/64", "2001:db8:1::11", "10.0.0.0/8", "198.19.0.0/16"],
];
const services = ["", "", "", "", ":80", ":443", ":9000", ":9000/udp", ":7-80/tcp", "/udp", ":53"];
const hostEntries = ["host:9000", "host:9000/tcp", "host:18000-18020/tcp", "host:53"];

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)] as T;
}

const chance = (random: Random, percent: number): boolean => random(100) < percent;

function entryOf(random: Random): string {
  const kind = random(12);
  const mark = chance(random, 15) ? "!" : "";
  if (kind > 9) return mark + pick(random, hostEntries);
  const service = pick(random, services);
  if (kind < 6) return mark + pick(random, patterns) + service;
  const prefix = pick(random, prefixes);
  return `${mark}${prefix.includes(":") && service.startsWith(":") ? `[${prefix}]` : prefix}${service}`;
}

function allowlist(random: Random): string {
  return Array.from({ length: random(9) }, () => entryOf(random)).join(" ");
}

/**
 * @param index of the topology in its run, from 0: names and ports of two never meet
 * @param mayFilter whether the engine may turn on br_netfilter, as it does to keep containers apart
 */
export function planTopology(
  random: Random,
  {
    kind,
    index,
    mayFilter,
  }: {
    readonly kind: EngineKind;
    readonly index: number;
    readonly mayFilter: boolean;
  },
): Plan {
  const count = 1 + random(3);
  const networks = Array.from({ length: count }, (_, at): NetworkPlan => {
    const isGuarded = chance(random, 75);
    const mode = chance(random, 15) ? ["dockerwall.mode=audit"] : [];
    const deny = chance(random, 25) ? ["dockerwall.deny=reject"] : [];
    const hasIpv6 = chance(random, 50);
    const keepsApart = chance(random, 25) && mayFilter;
    const way = gatewayOf(random, kind);
    // Engine 20.10 lets nothing leave an internal network by IPv6, and takes neighbour discovery for that: its
    // destinations are multicast. No container finds another there, with us or without.
    const isDeaf = way.internal && kind === "e20";
    return {
      // By its name Docker chooses between networks.
      name: `${pick(random, ["a", "m", "z"])}${at}-${index}`,
      allow: isGuarded ? allowlist(random) : undefined,
      labels: isGuarded ? [...mode, ...deny] : [],
      subnet6: hasIpv6 && !isDeaf ? `2001:db8:e1${hex(index)}:${at}::/64` : undefined,
      keepsApart,
      ...way,
    };
  });
  const containers = Array.from({ length: 3 }, (_, at): ContainerPlan => {
    const on = networks.filter((_, position) => position === at % count || chance(random, 45));
    const names = on.map(({ name }) => name).sort(() => random(3) - 1);
    // It comes first, as an engine gives what is connected to it later no links there.
    const isOnDefault = chance(random, 12);
    return {
      name: `c${at}-${index}`,
      networks: isOnDefault ? [defaultNetwork, ...names] : names,
      allow: chance(random, 30) ? allowlist(random) : undefined,
      admin: chance(random, 30) ? [pick(random, adminCommands)] : [],
      published: chance(random, 40) ? 18_000 + ((index * 4 + at) % 20) : undefined,
      quarantined: chance(random, 5),
      shares: undefined,
      isOnHost: false,
      isOnWire: chance(random, 10),
      hosts: chance(random, 45) ? hostsOf(random) : [],
      links: [],
    };
  });
  const linking = containers.map((container, at) => ({
    ...container,
    links: chance(random, 25) ? linksOf(container, containers.slice(0, at)) : [],
  }));
  const borrower = (name: string): ContainerPlan => ({
    ...{ name: `${name}-${index}`, networks: [], allow: undefined, admin: [], published: undefined },
    ...{ quarantined: false, shares: undefined, isOnHost: false, isOnWire: false, hosts: [], links: [] },
  });
  const sharer = { ...borrower("s"), shares: `c${random(3)}-${index}` };
  const sharers = chance(random, 40) ? [sharer] : [];
  const onHost = { ...borrower("h"), isOnHost: true };
  return { networks, containers: [...linking, ...sharers, ...(chance(random, 30) ? [onHost] : [])] };
}

/** On the engine's own network it refuses a link to a container that is not there. */
function linksOf({ networks: [first] }: ContainerPlan, earlier: readonly ContainerPlan[]): string[] {
  const fit = earlier.findLast(
    ({ networks }) => first !== defaultNetwork || networks.includes(defaultNetwork),
  );
  return fit === undefined ? [] : [`${fit.name}:${linked}`];
}

/** Engine 28 alone has modes, and isolates internal networks only. */
function gatewayOf(random: Random, kind: EngineKind): Pick<NetworkPlan, "internal" | "gatewayMode"> {
  const internal = chance(random, 15);
  if (kind !== "e28") return { internal, gatewayMode: undefined };
  if (internal) return { internal, gatewayMode: chance(random, 50) ? "isolated" : undefined };
  const modes = ["nat-unprotected", "routed"] as const;
  return { internal, gatewayMode: chance(random, 25) ? pick(random, modes) : undefined };
}

/** Names that the resolver has otherwise, or has not at all; one may have several addresses. */
function hostsOf(random: Random): string[] {
  return Array.from({ length: 1 + random(3) }, () => {
    const name = pick(random, [...pinned.slice(0, 2), "www.example.com", "denied.example.com"]);
    return `${name}:${pick(random, [...outsideAddresses, "host-gateway", "10.0.0.1", "127.0.0.1"])}`;
  });
}

function hex(value: number): string {
  return (value % 256).toString(16).padStart(2, "0");
}

/** What a container with NET_ADMIN does to its own ways; those that fail change nothing. */
const adminCommands = [
  // The other network's gateway.
  `for d in $(ip -4 -o addr show scope global | awk '{print $4}'); do g=\${d%.*}.1; ip route replace default via $g && true; done`,
  "ip rule add dport 9000 table 77; ip route add blackhole default table 77",
  "ip route add unreachable 203.0.113.0/24",
  "ip addr add $(ip -4 -o addr show eth0 | awk '{print $4}' | sed 's#[0-9]*/#77/#') dev eth0",
  "ip route change default via $(ip route show default | awk '{print $3}') src $(ip -4 -o addr show eth0 | awk '{print $4}' | cut -d/ -f1)",
];
