// The smallest allowlist that would have allowed what was seen: names with the ports that were tried, addresses where no
// lookup led there, and wildcards only where they save at least three names, at or below a name that one owner registered.

import type { IpAddress } from "../model/address.ts";
import { protocolNumbers, type Service } from "../model/service.ts";
import { subtractServices } from "../model/service-set.ts";
import { parseEntry, renderSuffix } from "../policy/entry.ts";
import { hasStrangersBelow, registrableDomain } from "../policy/public-suffix.ts";
import type { Observation, SeenConnection } from "./observed.ts";

export interface Suggestion {
  readonly entries: readonly string[];
  /** What was denied and is not suggested, and why. */
  readonly leftOut: readonly { readonly what: string; readonly why: string }[];
}

export interface SuggestContext {
  /** Whether the present policy allows this name already. */
  readonly allowsName: (name: string) => boolean;
  /** The `!` entry that takes this away, as it is written. */
  readonly takenBy: (target: { readonly name?: string; readonly address?: IpAddress }) => string | undefined;
  /** True for an address of the Docker host. */
  readonly isHost: (address: IpAddress) => boolean;
  /** Why an address is never suggested; undefined when it may be. */
  readonly unfit: (address: IpAddress) => string | undefined;
}

/** Names that a wildcard replaces at least: one entry for four saves three. */
const leastNames = 4;
/** Distinct ranges of ports after which a name is suggested with every port of the protocol. */
const mostRanges = 8;

type LeftOut = { readonly what: string; readonly why: string };

/** The entries to add to what is allowed already; in order, without repetitions. */
export function suggest({ lookups, connections }: Observation, context: SuggestContext): Suggestion {
  const leftOut: LeftOut[] = [];
  const names = new Map<string, Service[]>();
  const hosts: Service[] = [];
  const addresses = new Map<IpAddress, Service[]>();
  for (const connection of connections.filter(({ allowed }) => !allowed)) {
    const { destination } = connection;
    const service = serviceOf(connection);
    const why = whyNot(connection, context);
    // Any of its names may have been meant; each that is not suggested says why.
    const named = connection.names.filter(
      (name) => why === undefined && whyNotName(name, context) === undefined,
    );
    if (why !== undefined) leftOut.push({ what: whatOf(connection), why });
    else if (context.isHost(destination)) hosts.push(service);
    else if (named.length > 0) for (const name of named) push(names, name, service);
    else if (connection.names.length === 0) push(addresses, destination, service);
  }
  for (const { domain, allowed } of lookups) {
    if (allowed || names.has(domain) || context.allowsName(domain)) continue;
    const why = whyNotName(domain, context);
    if (why === undefined) names.set(domain, []);
    else leftOut.push({ what: domain, why });
  }
  return {
    entries: [
      ...renderNames(names),
      ...[...addresses].flatMap(([address, services]) => withServices(address, services)),
      ...hostEntries(hosts, leftOut),
    ],
    leftOut: distinct(leftOut),
  };
}

/** A program that tries every port of the host does not need them all: what no entry can express is left out. */
function hostEntries(services: readonly Service[], leftOut: LeftOut[]): string[] {
  return subtractServices(services, []).flatMap((service) => {
    const entry = `host${renderSuffix(service)}`;
    const parsed = parseEntry(entry);
    if ("entry" in parsed) return [entry];
    leftOut.push({ what: entry, why: parsed.problem });
    return [];
  });
}

function serviceOf({ ipProtocol, port }: SeenConnection): Service {
  const protocol =
    ipProtocol === protocolNumbers.tcp ? "tcp" : ipProtocol === protocolNumbers.udp ? "udp" : "other";
  if (protocol === "other" || port === undefined) return { protocol: "other", ports: "any" };
  return { protocol, ports: { from: port, to: port } };
}

function whatOf({ destination, names, ipProtocol, port }: SeenConnection): string {
  const service = port === undefined ? `protocol ${ipProtocol}` : `port ${port}`;
  return `${names.length === 0 ? destination : `${destination} (${names.join(", ")})`}, ${service}`;
}

function whyNot({ destination, ipProtocol }: SeenConnection, context: SuggestContext): string | undefined {
  const taken = context.takenBy({ address: destination });
  if (taken !== undefined) return `${taken} takes it away`;
  const known = ipProtocol === protocolNumbers.tcp || ipProtocol === protocolNumbers.udp;
  if (context.isHost(destination))
    return known ? undefined : "only TCP and UDP ports of the host can be allowed";
  return context.unfit(destination);
}

function whyNotName(name: string, context: SuggestContext): string | undefined {
  const taken = context.takenBy({ name });
  if (taken !== undefined) return `${taken} takes it away`;
  if (/\.(?:in-addr|ip6)\.arpa$/.test(name)) return "a reverse lookup of an address that was not open";
  // A container may look up what it likes, also what would be another entry than a name.
  const parsed = parseEntry(name);
  if ("problem" in parsed) return parsed.problem;
  const { entry } = parsed;
  const plain = entry.kind === "domain" && entry.scope === "exact" && !entry.negated && entry.domain === name;
  return plain && isAny(entry.service) ? undefined : "it is not the name of anything outside";
}

function isAny({ protocol, ports }: Service): boolean {
  return protocol === "any" && ports === "any";
}

function renderNames(names: ReadonlyMap<string, readonly Service[]>): string[] {
  const groups = new Map<string, { readonly names: string[]; readonly services: readonly Service[] }>();
  for (const [name, services] of names) {
    const key = withServices("", services).join(" ");
    const group = groups.get(key) ?? { names: [], services };
    groups.set(key, group);
    group.names.push(name);
  }
  return [...groups.values()]
    .flatMap((group) => collapse(group.names).flatMap((host) => withServices(host, group.services)))
    .toSorted(byDomain);
}

/** A host with each range of ports that was seen; without any, for every service. */
function withServices(host: string, seen: readonly Service[]): string[] {
  const services = subtractServices(seen, []);
  const everything = services.length === 0 || services.some(({ protocol }) => protocol === "other");
  if (everything) return [host];
  if (services.length <= mostRanges) {
    const bracketed = host.includes(":") ? `[${host}]` : host;
    return services.map((service) => `${bracketed}${renderSuffix(service)}`);
  }
  const protocols = new Set(services.map(({ protocol }) => protocol));
  const [only] = protocols;
  return protocols.size === 1 && (only === "tcp" || only === "udp") ? [`${host}/${only}`] : [host];
}

interface Node {
  readonly children: Map<string, Node>;
  named: boolean;
}

/** Names with wildcards in place of many of them, as deep down as they will go. */
function collapse(names: readonly string[]): string[] {
  // `_dmarc.example.com` and the like are looked up for other records than addresses, which wildcards do not serve.
  const plain = names.filter((name) => !name.includes("_"));
  const byOwner = Map.groupBy(plain, (name) => registrableDomain(name) ?? "");
  const other = names.filter((name) => name.includes("_"));
  return [...byOwner, ["", other] as const].flatMap(([owner, below]) => {
    if (owner === "") return below;
    const root: Node = { children: new Map(), named: false };
    for (const name of below) insert(root, name.slice(0, Math.max(0, name.length - owner.length - 1)));
    return entriesBelow(root, owner);
  });
}

function insert(root: Node, left: string): void {
  let node = root;
  for (const label of left === "" ? [] : left.split(".").reverse()) {
    const next = node.children.get(label) ?? { children: new Map<string, Node>(), named: false };
    node.children.set(label, next);
    node = next;
  }
  node.named = true;
}

function entriesBelow(node: Node, domain: string): string[] {
  const below = [...node.children].flatMap(([label, child]) => entriesBelow(child, `${label}.${domain}`));
  const entries = node.named ? [domain, ...below] : below;
  return entries.length >= leastNames && !hasStrangersBelow(domain) ? [`*.${domain}`] : entries;
}

/** By the labels from the right, so that what belongs together stands together. */
function byDomain(a: string, b: string): number {
  const key = (entry: string): string =>
    entry
      .replace(/[:/].*$/, "")
      .split(".")
      .reverse()
      .join(".");
  return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a < b ? -1 : Number(a > b);
}

function push<Key>(map: Map<Key, Service[]>, key: Key, service: Service): void {
  const services = map.get(key);
  if (services === undefined) map.set(key, [service]);
  else services.push(service);
}

function distinct(leftOut: readonly LeftOut[]): LeftOut[] {
  return [...new Map(leftOut.map((row) => [`${row.what}\n${row.why}`, row])).values()];
}
