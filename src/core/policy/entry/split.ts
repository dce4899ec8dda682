// The parts of an entry: HOST[:PORT[-PORT]][/tcp|/udp].

import { parsePrefix } from "../../model/address.ts";
import { anyService, type Protocol, type Service } from "../../model/service.ts";

interface SplitEntry {
  readonly host: string;
  readonly port: string | undefined;
  readonly protocol: string | undefined;
}

/** Takes an entry apart, without its `!`. A problem says what is wrong and how to write it. */
export function splitEntry(text: string): SplitEntry | { readonly problem: string } {
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

/** The service of a port and a protocol as written. */
export function parseService(
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

/** Shortened: entries may be as long as a label, and people read the problems. */
export function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
