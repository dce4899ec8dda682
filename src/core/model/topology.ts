// What the engine told us, reduced to what decisions need: networks, containers and their endpoints.

import { type Family, familyOf, type IpAddress, type Prefix } from "./address.ts";

export interface Network {
  /** Full engine id, 64 hex digits. */
  readonly id: string;
  readonly name: string;
  /** `bridge`, `overlay`, `macvlan`, …; only `bridge` networks can be guarded. */
  readonly driver: string;
  /** Interface name of the bridge on the host, at most 15 bytes; undefined for other drivers. */
  readonly bridge: string | undefined;
  readonly subnets: readonly Prefix[];
  readonly gateways: readonly IpAddress[];
  readonly internal: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** How containers are reached from outside, where it is not by translation of ports. */
  readonly gatewayModes?: Readonly<Partial<Record<Family, GatewayMode>>>;
  /** True where the engine keeps its containers from each other (`enable_icc=false`). */
  readonly keepsApart?: true;
}

/** Modes of a bridge's gateway since Engine 27 whose containers are reached at their own addresses. */
export type GatewayMode = "routed" | "nat-unprotected";

export interface Endpoint {
  readonly networkId: string;
  readonly addresses: readonly IpAddress[];
  /**
   * What it is called on this network, as written: aliases, and its hostname, which engines up to 25 count among them
   * and newer ones among the names (`DNSNames`). Its name and short id may be missing.
   */
  readonly aliases: readonly string[];
  /**
   * The container's default route goes by the network with the highest (`gw_priority`). Undefined is 0, of an engine that
   * has none: those before 28.
   */
  readonly gatewayPriority?: number | undefined;
  /** What this container alone calls others on this network (`--link NAME:ALIAS`), as written. */
  readonly links: readonly Link[];
}

export interface Link {
  readonly name: string;
  readonly alias: string;
}

/** A port by its IP protocol. */
export interface ContainerPort {
  readonly protocol: number;
  readonly port: number;
}

/** Ports of the host, by IP protocol, behind each of which a container is. */
export interface HostPorts {
  readonly protocol: number;
  /** Unspecified: every address of its family. */
  readonly address: IpAddress;
  readonly from: number;
  readonly to: number;
}

export interface Container {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly running: boolean;
  /** `host`, `none`, `container:ID`, or the name of the first network. */
  readonly networkMode: string;
  /** Its first process, as the engine sees it. */
  readonly pid?: number;
  /** File name of the sandbox in the engine's netns folder; undefined when it has none. */
  readonly sandbox: string | undefined;
  readonly endpoints: readonly Endpoint[];
  /** The networks that it is on when it runs, each by id, or by name where it never ran. */
  readonly configured: readonly string[];
  readonly hazards: readonly Hazard[];
  /** It can put no frame on a wire by hand: it has no NET_RAW, and nothing by which it could have it. */
  readonly forgesNothing?: true;
  /** The resolvers that it is given (`--dns`). */
  readonly dns?: readonly IpAddress[];
  /** Its own ports that are published, by IP protocol. */
  readonly publishes?: readonly ContainerPort[];
  /** Names of the containers that it links on Docker's own network (`--link`); on others a link is a name only. */
  readonly linked?: readonly string[];
  /** What containers that link it there may reach of it, beside what is published. */
  readonly exposes?: readonly ContainerPort[];
  /** The file that it has for its /etc/hosts, as the engine sees it. */
  readonly hostsFile?: string;
  /** Where UDP port 53 of it is published, at addresses of the host. */
  readonly published?: readonly { readonly address: IpAddress; readonly port: number }[];
  /** All that is published of it. */
  readonly hostPorts?: readonly HostPorts[];
}

/** What a container has that no wall on its network can hold. */
export type Hazard =
  | "docker-socket"
  | "engine-api"
  | "privileged"
  | "host-network"
  | "host-pid"
  | "net-admin"
  | "sys-admin"
  | "kernel"
  | "host-files"
  | "host-devices";

/** A consistent picture of one engine. */
export interface Topology {
  readonly networks: readonly Network[];
  readonly containers: readonly Container[];
}

/** Up to when the picture is known to be true: by process.hrtime, which both threads share, ms. */
export interface Readings {
  /** When the last list of all containers began. */
  readonly listedAtMs: number;
  /** When the last reading of a container began, by id. None for one that is known by the list or an event only. */
  readonly readAtMs: ReadonlyMap<string, number>;
}

/** A network that a container may send by to the outside, and how much it prefers it. */
export interface WayOut extends Pick<Network, "internal" | "name">, Pick<Endpoint, "gatewayPriority"> {
  readonly families: readonly Family[];
}

/**
 * The order in which the engine looks for the network by which a container sends to the outside: those without a way out
 * last, those of both families first, then the one that the container prefers, and of equal ones the first by name.
 * Up to Engine 28.5 a network of both families goes before what is preferred (libnetwork, selectGatewayEndpoint).
 */
export function byWayOut(a: WayOut, b: WayOut): number {
  const byInternal = Number(a.internal) - Number(b.internal);
  const byFamilies = b.families.length - a.families.length;
  const byPriority = (b.gatewayPriority ?? 0) - (a.gatewayPriority ?? 0);
  return byInternal || byFamilies || byPriority || (a.name < b.name ? -1 : Number(a.name > b.name));
}

/** The network by which what a container sends to the outside in a family leaves; undefined where none leads there. */
export function wayOutBy<Way extends WayOut>(family: Family, ways: readonly Way[]): Way | undefined {
  return ways.filter((way) => !way.internal && way.families.includes(family)).toSorted(byWayOut)[0];
}

/** The families of addresses that a network gives out. */
export function familiesOf({ subnets }: Pick<Network, "subnets">): readonly Family[] {
  return [...new Set(subnets.map(({ address }) => familyOf(address)))];
}

/** As much of an id as the engine shows. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}
