// The grammar of one allowlist entry: [!]HOST[:PORT[-PORT]][/tcp|/udp].
// HOST is a domain, `*.domain` (the domain and every name below it), a pattern with `*` inside of labels, one of these
// with `@RANGE` behind (where it leads into the range), an address or a CIDR prefix, `@preset`, or `host`. People write labels, and so do programs that may be hostile: everything that
// is not plainly legal is refused.

import { domainToASCII } from "node:url";
import { type Prefix, parsePrefix, renderPrefix } from "../model/address.ts";
import { anyService, type Protocol, renderService, type Service } from "../model/service.ts";

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

/** How many rightmost labels of a pattern must be written out: a `*` there would match names of any owner. */
const literalLabels = 2;

export type EntryResult = { readonly entry: Entry | PresetReference } | { readonly problem: string };

/** Parses one entry. A problem says what is wrong and how to write it. */
export function parseEntry(text: string): EntryResult {
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

interface SplitEntry {
  readonly host: string;
  readonly port: string | undefined;
  readonly protocol: string | undefined;
}

function splitEntry(text: string): SplitEntry | { readonly problem: string } {
  const protocolMatch = /\/([A-Za-z]+)$/.exec(text);
  const rest = protocolMatch === null ? text : text.slice(0, protocolMatch.index);
  const protocol = protocolMatch?.[1]?.toLowerCase();
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(rest);
  if (bracketed !== null) {
    const [, host = "", port] = bracketed;
    if (parsePrefix(host) !== undefined && host.includes(":")) return { host, port, protocol };
    return { problem: "only IPv6 addresses may have brackets; write HOST:PORT" };
  }
  const outside = /^\[([^\]]*)\](\/\d+)/.exec(rest);
  if (outside !== null) {
    const [, address = "", length = ""] = outside;
    return {
      problem: `the prefix length belongs inside the brackets; write ${quote(`[${address}${length}]`)}`,
    };
  }
  const colons = rest.split(":").length - 1;
  if (colons === 1) {
    const [host = "", port] = rest.split(":");
    return { host, port, protocol };
  }
  if (colons > 1 && parsePrefix(rest) === undefined) {
    return {
      problem: "it has more than one `:` and is not an IPv6 address; write HOST:PORT or [ADDRESS]:PORT",
    };
  }
  return { host: rest, port: undefined, protocol };
}

function parseService(
  port: string | undefined,
  protocol: string | undefined,
): { readonly service: Service } | { readonly problem: string } {
  if (protocol !== undefined && protocol !== "tcp" && protocol !== "udp") {
    return { problem: `the protocol must be tcp or udp, not ${quote(protocol)}` };
  }
  const known: Protocol | "any" = protocol ?? "any";
  if (port === undefined) {
    return { service: known === "any" ? anyService : { protocol: known, ports: "any" } };
  }
  const range = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(port);
  const from = Number(range?.[1]);
  const to = Number(range?.[2] ?? range?.[1]);
  if (range === null || from < 1 || to > 65535 || from > to) {
    return { problem: `the port must be 1 to 65535, or FROM-TO, not ${quote(port)}` };
  }
  return { service: { protocol: known, ports: { from, to } } };
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
  if (name.includes("*")) return globEntry(host, service, negated);
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

function globEntry(text: string, service: Service, negated: boolean): EntryResult {
  const labels = text.replace(/\.$/, "").toLowerCase().split(".");
  if (labels.slice(-literalLabels).some((label) => label.includes("*"))) {
    return { problem: "the last two labels must be written out, as in build-*.ci.example.com" };
  }
  if (labels[0] === "*" && labels.slice(1).some((label) => label.includes("*"))) {
    return { problem: "a leading `*.` covers every depth; remove it, or every `*` in later labels" };
  }
  if (labels.some((label) => label.includes("**")))
    return { problem: "it has more than one `*` in a row; write only one" };
  // A letter in place of each `*`: what is around it must make a legal name.
  const domain = canonicalDomain(labels.join(".").replaceAll("*", "x"), literalLabels + 1);
  if ("problem" in domain || labels.includes("") || !/^[a-z0-9_.*-]+$/.test(labels.join("."))) {
    return {
      problem: `${quote(text)} is not a domain name pattern; write it as in build-*.ci.example.com, and letters other than a to z in their xn-- form`,
    };
  }
  return { entry: { kind: "domain", domain: labels.join("."), scope: "glob", service, negated } };
}

function canonicalDomain(
  text: string,
  leastLabels: number,
): { readonly domain: string } | { readonly problem: string } {
  const ascii = toAscii(text);
  const domain = ascii.endsWith(".") ? ascii.slice(0, -1) : ascii;
  const labels = domain.split(".");
  const wrong = labels.find((label) => !/^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
  if (wrong !== undefined || domain.length > 253) {
    return {
      problem: `${quote(text)} is not a domain name; write letters, digits, - and _ between dots, as in api.example.com`,
    };
  }
  if (/^[0-9]+$/.test(labels.at(-1) ?? "")) {
    return {
      problem: `${quote(text)} is neither an address nor a domain name; write it as 192.0.2.10 or api.example.com`,
    };
  }
  if (labels.length < leastLabels) {
    return { problem: "a single-label name is never looked up outside; write a full domain" };
  }
  return { domain };
}

/** In lower case, with A-labels; a text that is not a domain name stays invalid. */
function toAscii(text: string): string {
  if (!/[\u{80}-\u{10ffff}]/u.test(text)) return text.toLowerCase();
  // Node reads the host of a URL here: `?x` would end it, and `%63` would be a letter.
  return /^[\w.\u{80}-\u{10ffff}-]+$/u.test(text) ? domainToASCII(text) : "";
}

/** Shortened: entries may be as long as a label, and people read the problems. */
function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
