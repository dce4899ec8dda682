// Targets that a container may have, by what there is around it.

import type { Random } from "../../support/seeded.ts";
import { linked, names, outsideAddresses, pick, pinned } from "./topology.ts";

export interface Target {
  readonly protocol: "tcp" | "udp";
  readonly host: string;
  readonly port: number;
  /** True where something answers there if nothing is in between. */
  readonly answers: boolean;
  /** Nothing but us keeps the sender from it: an address in the internet, where it has a route. */
  readonly isOutside?: boolean;
}

export interface Around {
  /** Of the host, on all of its interfaces. */
  readonly hostAddresses: readonly string[];
  /** Those of IPv6 among them that answer nobody yet, as nobody is on the bridge. */
  readonly tentative: ReadonlySet<string>;
  /** Of containers, with their names, and the names that they alone have for something. */
  readonly containers: readonly {
    readonly name: string;
    readonly addresses: readonly string[];
    readonly networks: readonly string[];
    readonly ownNames: readonly string[];
  }[];
  /** Addresses of containers where not even the host has a way to. */
  readonly farFromHost: ReadonlySet<string>;
  /** Names that some container has an address for where nothing answers on every port. */
  readonly leadElsewhere: ReadonlySet<string>;
  /** Ports of the host, and whether a server answers behind each. */
  readonly published: readonly { readonly port: number; readonly answers: boolean }[];
}

const tcpPorts = [80, 8080, 443, 7, 9000] as const;
const udpPorts = [7, 9000] as const;

export function addressTarget(random: Random, around: Around, sender: string): Target {
  const protocol = pick(random, ["tcp", "tcp", "udp"] as const);
  // A server that echoes has a port for lookups, too.
  const echo = { protocol, port: random(6) === 0 ? 53 : 9000 };
  switch (random(10)) {
    case 8: {
      const { addresses } = pick(random, neighboursOf(around, sender));
      return { ...echo, host: pick(random, addresses), answers: true };
    }
    case 0: {
      const host = pick(random, around.hostAddresses);
      return { ...echo, host, answers: !around.tentative.has(host) };
    }
    case 1:
    case 2: {
      const { addresses } = pick(random, around.containers);
      return { ...echo, host: pick(random, addresses), answers: true };
    }
    case 3:
    case 9: {
      const host = pick(random, around.hostAddresses);
      const { port, answers } =
        around.published.length === 0 ? { port: 9000, answers: true } : pick(random, around.published);
      return { protocol: "tcp", host, port, answers: answers && !around.tentative.has(host) };
    }
    case 4:
      return pick(random, [
        { protocol, host: "203.0.113.66", port: 53, answers: true },
        { protocol, host: "2001:db8:2::66", port: 53, answers: true },
        { ...echo, host: "127.0.0.1", port: 9000, answers: true },
        { ...echo, host: "169.254.169.254", answers: false },
        { ...echo, host: nobodyAt(random, around), answers: false },
      ]);
    default:
      return { ...outside(random, protocol, pick(random, outsideAddresses)), isOutside: true };
  }
}

/** From the host's own network nothing keeps it from what is on this host, either. */
export function targetFromHost(random: Random, around: Around, sender: string): Target {
  const target = addressTarget(random, around, sender);
  return { ...target, isOutside: target.answers && !around.farFromHost.has(target.host) };
}

/** On a network of the engine, or beside them. */
function nobodyAt(random: Random, { hostAddresses }: Around): string {
  const gateways = hostAddresses.filter((each) => each.startsWith("198.19."));
  return random(4) === 0 ? "198.19.250.200" : pick(random, gateways).replace(/[^.]*$/, "200");
}

/** Who is on one of its networks; all, if nobody is. */
function neighboursOf({ containers }: Around, sender: string): Around["containers"] {
  const on = containers.find(({ name }) => name === sender)?.networks ?? [];
  const near = containers.filter(
    ({ name, networks }) => name !== sender && networks.some((each) => on.includes(each)),
  );
  return near.length === 0 ? containers : near;
}

export function nameTarget(random: Random, around: Around, sender: string): Target {
  const protocol = pick(random, ["tcp", "tcp", "udp"] as const);
  if (random(5) === 0)
    return { protocol, host: pick(random, around.containers).name, port: 9000, answers: true };
  const own = around.containers.find((each) => each.name === sender)?.ownNames ?? [];
  const name =
    own.length > 0 && random(2) === 0 ? pick(random, own) : pick(random, random(8) === 0 ? pinned : names);
  if (name === linked) return { protocol, host: name, port: 9000, answers: true };
  // Nobody has some of its addresses.
  const answers = !/^(private|mixed)/.test(name) && !around.leadElsewhere.has(name);
  return { ...outside(random, protocol, name), answers };
}

function outside(random: Random, protocol: Target["protocol"], host: string): Target {
  return { protocol, host, port: pick(random, protocol === "tcp" ? tcpPorts : udpPorts), answers: true };
}

/** As `explain` takes it. */
export function renderTarget({ host, port, protocol }: Target): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}/${protocol}`;
}
