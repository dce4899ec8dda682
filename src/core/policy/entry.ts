// The grammar of one allowlist entry: [!]HOST[:PORT[-PORT]][/tcp|/udp].
// HOST is a domain, `*.domain` (the domain and every name below it), a pattern with `*` inside of labels, one of these
// with `@RANGE` behind (where it leads into the range), an address or a CIDR prefix, `@preset`, or `host`. People write
// labels, and so do programs that may be hostile: everything that is not plainly legal is refused.

import { type Prefix, parsePrefix, renderPrefix } from "../model/address.ts";
import { isDnsService, type Protocol, renderService, type Service } from "../model/service.ts";
import { canonicalDomain, canonicalPattern } from "./entry/domain.ts";
import { slipIn } from "./entry/slips.ts";
import { parseService, quote, splitEntry } from "./entry/split.ts";

interface Negatable {
  /** True for `!`: takes away, and wins over every grant. */
  readonly negated: boolean;
}

export interface DomainEntry extends Negatable {
  readonly kind: "domain";
  /** Lower case, ASCII (A-labels), no trailing dot. */
  readonly domain: string;
  /**
   * `exact` is the name itself; `subtree` is the name and every name below it; in a `glob` each `*` of the domain
   * stands for any characters within its label, and for no dot.
   */
  readonly scope: "exact" | "subtree" | "glob";
  /** The addresses that it may lead to, private ones too; undefined for every address that is not private. */
  readonly within?: Prefix;
  readonly service: Service;
}

export interface PrefixEntry extends Negatable {
  readonly kind: "prefix";
  readonly prefix: Prefix;
  readonly service: Service;
}

/** Whether a prefix is of one address. */
export function isSingle({ address, length }: Prefix): boolean {
  return length === (address.includes(":") ? 128 : 32);
}

/** Whether it names a server for lookups: one address, with port 53 by itself. Packets to any other go to Dockerwall. */
export function namesResolver({ negated, prefix, service }: PrefixEntry): boolean {
  return !negated && isSingle(prefix) && isDnsService(service);
}

/** A service of the Docker host itself. */
export interface HostEntry extends Negatable {
  readonly kind: "host";
  readonly protocol: Protocol | "any";
  /** Inclusive range of ports, at most 1024 wide. */
  readonly from: number;
  readonly to: number;
}

/** An entry that decides. `preset` names the preset that it comes from, if it was not written out. */
export type Entry = (DomainEntry | PrefixEntry | HostEntry) & { readonly preset?: string };

/** A reference to a named list: the list's entries decide in its place, narrowed to the service. */
export interface PresetReference extends Negatable {
  readonly kind: "preset";
  /** Lower case, without the `@`. */
  readonly name: string;
  readonly service: Service;
}

/** What a preset may be called. */
export const presetName = /^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$/;

/** Each port of a `host` entry is a kernel entry of its own. */
const widestHostRange = 1024;

export type EntryResult = { readonly entry: Entry | PresetReference } | { readonly problem: string };

/** Parses one entry. A problem says what is wrong and how to write it. */
export function parseEntry(text: string): EntryResult {
  const result = readEntry(text);
  if ("entry" in result) return result;
  const slip = slipIn(text, (fix) => {
    const fixed = readEntry(fix);
    return "entry" in fixed ? fixed.entry : undefined;
  });
  return slip === undefined ? result : { problem: slip };
}

function readEntry(text: string): EntryResult {
  const negated = text.startsWith("!");
  const positive = negated ? text.slice(1) : text;
  if (positive === "") return { problem: "nothing follows the `!`; write what to take away" };
  if (positive.startsWith("!")) return { problem: "it has more than one `!`; write only one" };
  if (/^[a-z]+:\/\//i.test(positive))
    return { problem: "it is a URL; write only the host, without the scheme and the path" };
  const at = positive.startsWith("@") ? -1 : positive.indexOf("@");
  const split = splitEntry(at < 0 ? positive : positive.slice(at + 1));
  if ("problem" in split) return split;
  const service = parseService(split.port, split.protocol);
  if ("problem" in service) return service;
  if (at >= 0) return parseWithin(positive.slice(0, at), split.host, service.service, negated);
  if (split.host.startsWith("@")) return parsePreset(split.host.slice(1), service.service, negated);
  return parseHost(split.host, service.service, negated);
}

/** A name, and the range that it may lead into. */
function parseWithin(name: string, range: string, service: Service, negated: boolean): EntryResult {
  if (negated) return { problem: "`!` takes a name or a range, not both; write !NAME or !RANGE" };
  const within = parsePrefix(range);
  if (within === undefined)
    return {
      problem: `${quote(range)} is not an address range; write NAME@RANGE, as in db.example.com@10.0.0.0/8`,
    };
  if (/^::ffff:/.test(within.address))
    return { problem: "its range is an IPv4 address in IPv6 form; write the IPv4 address" };
  const named = parseHost(name, service, negated);
  if ("problem" in named) return named;
  if (named.entry.kind !== "domain")
    return { problem: `${quote(name)} is not a domain name; only a name can lead into a range` };
  return { entry: { ...named.entry, within } };
}

/** The entry as a user would write it; parsing it again yields the same entry. */
export function renderEntry(entry: Entry | PresetReference): string {
  const mark = entry.negated ? "!" : "";
  switch (entry.kind) {
    case "host": {
      const { protocol, from, to } = entry;
      return `${mark}host${renderSuffix({ protocol, ports: { from, to } })}`;
    }
    case "domain":
      return `${mark}${renderDomain(entry)}${renderWithin(entry)}${renderSuffix(entry.service)}`;
    case "preset":
      return `${mark}@${entry.name}${renderSuffix(entry.service)}`;
    case "prefix":
      return `${mark}${renderRange(entry.prefix, entry.service)}${renderSuffix(entry.service)}`;
  }
}

/** In brackets where a port follows that would be read as a part of it. */
function renderRange(prefix: Prefix, { ports }: Service): string {
  const text = renderPrefix(prefix);
  return ports !== "any" && text.includes(":") ? `[${text}]` : text;
}

function renderWithin({ within, service }: DomainEntry): string {
  return within === undefined ? "" : `@${renderRange(within, service)}`;
}

/** `:443/tcp`, as it follows a host; nothing for every service. */
export function renderSuffix({ protocol, ports }: Service): string {
  const port = ports === "any" ? "" : `:${renderService({ protocol: "any", ports })}`;
  return `${port}${protocol === "any" ? "" : `/${protocol}`}`;
}

function renderDomain(entry: DomainEntry): string {
  return entry.scope === "subtree" ? `*.${entry.domain}` : entry.domain;
}

function parsePreset(text: string, service: Service, negated: boolean): EntryResult {
  const name = text.toLowerCase();
  if (!presetName.test(name)) {
    return {
      problem: `${quote(`@${text}`)} is not a preset name; write it as in @debian or @npm:443`,
    };
  }
  return { entry: { kind: "preset", name, service, negated } };
}

function parseHost(host: string, service: Service, negated: boolean): EntryResult {
  const prefix = parsePrefix(host);
  if (prefix !== undefined && /^::ffff:/.test(prefix.address))
    return { problem: "it is an IPv4 address in IPv6 form; write the IPv4 address" };
  if (prefix !== undefined) return { entry: { kind: "prefix", prefix, service, negated } };
  if (host.includes("/")) return { problem: "it is not an address prefix; write ADDRESS/LENGTH" };
  if (host.toLowerCase() === "host") return hostEntry(service, negated);
  if (host === "*") {
    return {
      problem: negated
        ? "`!*` would take everything away; to do so, leave the label empty"
        : "`*` alone would allow everything; to leave the network open, remove the label",
    };
  }
  const subtree = host.startsWith("*.");
  const name = subtree ? host.slice(2) : host;
  if (name.includes("*")) {
    const pattern = canonicalPattern(host);
    if ("problem" in pattern) return pattern;
    return { entry: { kind: "domain", domain: pattern.domain, scope: "glob", service, negated } };
  }
  // Everything below a top-level domain is a lot, but may be intended: `*.internal`. A single-label name is not.
  const domain = canonicalDomain(name, subtree ? 1 : 2);
  if ("problem" in domain) return domain;
  const scope = subtree ? "subtree" : "exact";
  return { entry: { kind: "domain", domain: domain.domain, scope, service, negated } };
}

function hostEntry({ protocol, ports }: Service, negated: boolean): EntryResult {
  if (ports === "any") return { problem: "`host` needs a port, as in host:5432" };
  if (ports.to - ports.from >= widestHostRange) {
    return { problem: `\`host\` takes at most ${widestHostRange} ports; name only the ports you need` };
  }
  const known = protocol === "tcp" || protocol === "udp" ? protocol : "any";
  return { entry: { kind: "host", protocol: known, ...ports, negated } };
}
