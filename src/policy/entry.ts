// The grammar of one allowlist entry: HOST[:PORT[-PORT]][/tcp|/udp].
// HOST is a domain, `*.domain` (the domain and every name below it), an address or a CIDR prefix.
// Labels are written by people and by programs that may be hostile: whatever is not plainly legal is refused.

import { domainToASCII } from "node:url";
import { type Prefix, parsePrefix, renderPrefix } from "../model/address.ts";
import { anyService, type Protocol, renderService, type Service } from "../model/service.ts";

export interface DomainEntry {
  readonly kind: "domain";
  /** Lower case, ASCII (A-labels), no trailing dot. */
  readonly domain: string;
  /** `exact` is the name itself; `subtree` is the name and every name below it. */
  readonly scope: "exact" | "subtree";
  readonly service: Service;
}

export interface PrefixEntry {
  readonly kind: "prefix";
  readonly prefix: Prefix;
  readonly service: Service;
}

/** A service of the Docker host itself. */
export interface HostEntry {
  readonly kind: "host";
  readonly protocol: Protocol | "any";
  /** Inclusive range of ports, at most 1024 wide. */
  readonly from: number;
  readonly to: number;
}

export type Entry = DomainEntry | PrefixEntry | HostEntry;

/** Each port of a `host` entry is a kernel entry of its own. */
const widestHostRange = 1024;

export type EntryResult = { readonly entry: Entry } | { readonly problem: string };

/** Parses one entry. The problem, if any, says what is wrong with it and how to write it. */
export function parseEntry(text: string): EntryResult {
  if (text.startsWith("!")) return { problem: "`!` entries are not supported yet; remove it" };
  if (/^[a-z]+:\/\//i.test(text))
    return { problem: "it is a URL; leave out what stands before the host, and the path" };
  if (text.startsWith("@")) return { problem: "`@` presets are not supported yet; write the domains" };
  const split = splitEntry(text);
  if ("problem" in split) return split;
  const service = parseService(split.port, split.protocol);
  if ("problem" in service) return service;
  return parseHost(split.host, service.service);
}

/** The entry as a user would write it; parsing it again yields the same entry. */
export function renderEntry(entry: Entry): string {
  switch (entry.kind) {
    case "host": {
      const { protocol, from, to } = entry;
      return `host${renderSuffix({ protocol, ports: { from, to } })}`;
    }
    case "domain":
      return `${renderDomain(entry)}${renderSuffix(entry.service)}`;
    case "prefix": {
      const host = renderPrefix(entry.prefix);
      const bracketed = entry.service.ports !== "any" && host.includes(":") ? `[${host}]` : host;
      return `${bracketed}${renderSuffix(entry.service)}`;
    }
  }
}

function renderSuffix({ protocol, ports }: Service): string {
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
  if (bracketed !== null) return { host: bracketed[1] ?? "", port: bracketed[2], protocol };
  const colons = rest.split(":").length - 1;
  if (colons === 1) {
    const [host = "", port] = rest.split(":");
    return { host, port, protocol };
  }
  if (colons > 1 && parsePrefix(rest) === undefined) {
    return { problem: "it is not an IPv6 address; with a port write [ADDRESS]:PORT" };
  }
  return { host: rest, port: undefined, protocol };
}

function parseService(
  port: string | undefined,
  protocol: string | undefined,
): { readonly service: Service } | { readonly problem: string } {
  if (protocol !== undefined && protocol !== "tcp" && protocol !== "udp") {
    return { problem: `the protocol is tcp or udp, not ${JSON.stringify(protocol)}` };
  }
  const known: Protocol | "any" = protocol ?? "any";
  if (port === undefined) {
    return { service: known === "any" ? anyService : { protocol: known, ports: "any" } };
  }
  const range = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(port);
  const from = Number(range?.[1]);
  const to = Number(range?.[2] ?? range?.[1]);
  if (range === null || from < 1 || to > 65535 || from > to) {
    return { problem: `the port is 1 to 65535, or FROM-TO, not ${JSON.stringify(port)}` };
  }
  return { service: { protocol: known, ports: { from, to } } };
}

function parseHost(host: string, service: Service): EntryResult {
  const prefix = parsePrefix(host);
  if (prefix !== undefined) return { entry: { kind: "prefix", prefix, service } };
  if (host.includes("/")) return { problem: "it is not an address prefix; write ADDRESS/LENGTH" };
  if (host.toLowerCase() === "host") return hostEntry(service);
  if (host === "*") {
    return { problem: "`*` alone would allow everything; remove the label to leave the network open" };
  }
  const subtree = host.startsWith("*.");
  const name = subtree ? host.slice(2) : host;
  if (name.includes("*")) {
    return { problem: "`*` stands only at the front, as in *.example.com" };
  }
  const domain = canonicalDomain(name);
  if ("problem" in domain) return domain;
  return { entry: { kind: "domain", domain: domain.domain, scope: subtree ? "subtree" : "exact", service } };
}

function hostEntry({ protocol, ports }: Service): EntryResult {
  if (ports === "any") return { problem: "`host` needs a port, as in host:5432" };
  if (ports.to - ports.from >= widestHostRange) {
    return { problem: `\`host\` takes at most ${widestHostRange} ports; name those that are needed` };
  }
  return { entry: { kind: "host", protocol, ...ports } };
}

function canonicalDomain(text: string): { readonly domain: string } | { readonly problem: string } {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range is the point
  const ascii = /^[\x00-\x7f]*$/.test(text) ? text.toLowerCase() : domainToASCII(text);
  const domain = ascii.endsWith(".") ? ascii.slice(0, -1) : ascii;
  const labels = domain.split(".");
  const wrong = labels.find((label) => !/^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
  if (wrong !== undefined || domain.length > 253) {
    return { problem: `${JSON.stringify(text)} is not a domain name` };
  }
  if (labels.length === 1) {
    return { problem: "a name of one label is never looked up outside; write a full domain" };
  }
  if (/^[0-9]+$/.test(labels.at(-1) ?? "")) {
    return { problem: `${JSON.stringify(text)} is neither an address nor a domain name` };
  }
  return { domain };
}
