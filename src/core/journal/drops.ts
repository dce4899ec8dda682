// The kernel's denied counters, in words: which container tried to reach what. The counters come from the kernel's sets
// that the drop rule fills; they carry no time.

import type { IpAddress } from "../model/address.ts";
import type { DropRow } from "../model/report.ts";

/** One entry of a denied set. */
export interface DeniedEntry {
  readonly asker: IpAddress;
  readonly destination: IpAddress;
  /** IP protocol number. */
  readonly protocol: number;
  /** Port; for ICMP type * 256 + code; 0 where the protocol has neither. */
  readonly port: number;
  readonly packets: number;
  readonly bytes: number;
}

/** The same with the time of the last reading at which it had grown, milliseconds since the epoch. */
export interface DatedEntry extends DeniedEntry {
  readonly lastSeenMs: number;
}

export interface DropNames {
  readonly containerOf: (asker: IpAddress) => string | undefined;
  /** The name that the destination was last granted for, to this asker. */
  readonly domainOf: (asker: IpAddress, destination: IpAddress) => string | undefined;
}

/** The entries joined with names; most packets first. */
export function dropRows(entries: readonly DatedEntry[], names: DropNames): DropRow[] {
  return entries
    .map((entry) => ({
      address: entry.asker,
      container: names.containerOf(entry.asker),
      destination: entry.destination,
      service: renderDenied(entry.protocol, entry.port),
      packets: entry.packets,
      bytes: entry.bytes,
      lastSeenMs: entry.lastSeenMs,
      domain: names.domainOf(entry.asker, entry.destination),
    }))
    .sort((a, b) => b.packets - a.packets);
}

/** As `ipset list` prints it. @see https://www.iana.org/assignments/protocol-numbers */
const protocolNames: Readonly<Record<number, string>> = {
  1: "icmp",
  2: "igmp",
  4: "ipencap",
  6: "tcp",
  17: "udp",
  41: "ipv6",
  47: "gre",
  50: "esp",
  51: "ah",
  58: "ipv6-icmp",
  132: "sctp",
  136: "udplite",
};

/** By protocol, then type and code. */
const icmpNames: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  1: {
    "0/0": "echo-reply",
    "3/0": "network-unreachable",
    "3/1": "host-unreachable",
    "3/3": "port-unreachable",
    "3/4": "fragmentation-needed",
    "8/0": "echo-request",
    "11/0": "ttl-zero-during-transit",
    "13/0": "timestamp-request",
  },
  58: {
    "1/0": "no-route",
    "1/4": "port-unreachable",
    "2/0": "packet-too-big",
    "128/0": "echo-request",
    "129/0": "echo-reply",
    "133/0": "router-solicitation",
    "134/0": "router-advertisement",
    "135/0": "neighbour-solicitation",
    "136/0": "neighbour-advertisement",
  },
};

/** `tcp:443`, `icmp:echo-request`, `gre:0`, `99:0`. */
export function renderDenied(protocol: number, port: number): string {
  const name = protocolNames[protocol] ?? `${protocol}`;
  const names = icmpNames[protocol];
  if (names === undefined) return `${name}:${port}`;
  const typeAndCode = `${port >> 8}/${port & 0xff}`;
  return `${name}:${names[typeAndCode] ?? typeAndCode}`;
}
