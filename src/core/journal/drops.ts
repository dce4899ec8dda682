// The kernel's denied counters, in words: which container tried to reach what. The counters come from the kernel's sets
// that the drop rule fills.

import type { DropEnd, DropRow } from "../model/report/stats.ts";
import type { DeniedRecord } from "./denied-record.ts";

/** Records as rows: those of one container for one destination are one; most packets first, then in order. */
export function dropRows(
  records: readonly DeniedRecord[],
  isGone: (containerId: string) => boolean,
  endOf: (record: DeniedRecord) => DropEnd | undefined,
): DropRow[] {
  const rows = new Map<string, DropRow>();
  for (const record of records.toSorted((a, b) => a.lastSeenMs - b.lastSeenMs)) {
    const now = endOf(record);
    const row = { ...rowOf(record, isGone), ...(now === undefined ? {} : { now }) };
    const key = [record.owner?.containerId, row.address, row.destination, row.service].join(" ");
    const before = rows.get(key);
    rows.set(key, before === undefined ? row : joined(before, row));
  }
  return [...rows]
    .toSorted(([a, one], [b, other]) => other.packets - one.packets || (a < b ? -1 : 1))
    .map(([, row]) => row);
}

function rowOf(
  { owner, domains, ...entry }: DeniedRecord,
  isGone: (containerId: string) => boolean,
): DropRow {
  return {
    address: entry.asker,
    container: owner?.name,
    ...(owner !== undefined && isGone(owner.containerId) ? { gone: true } : {}),
    destination: entry.destination,
    service: renderDenied(entry.protocol, entry.port),
    packets: entry.packets,
    bytes: entry.bytes,
    lastSeenMs: entry.lastSeenMs,
    domain: domains.at(-1),
  };
}

/** Two lives of one connection; the later one has its last name. */
function joined(before: DropRow, row: DropRow): DropRow {
  const { packets, bytes } = before;
  const domain = row.domain ?? before.domain;
  return { ...row, packets: packets + row.packets, bytes: bytes + row.bytes, domain };
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
