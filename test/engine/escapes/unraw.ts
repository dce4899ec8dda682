// What needs no raw socket, tried from containers that may not open any, as hardened Compose files have them
// (`cap_drop: [NET_RAW]`).

import { toContainers, toHost } from "./inward.ts";
import { hostByIpv6, outByIpv6 } from "./ipv6.ts";
import { kept } from "./kept.ts";
import { grants, resolvers, shapes, straightOut } from "./outward.ts";
import { second } from "./second.ts";
import type { Row, Section } from "./table.ts";

/** Words of attempts that go by sockets of the kernel's own. */
const bySockets = [
  ...["tcp", "udp", "ask", "lookup", "own", "own6", "own_address", "device_in", "unix_sockets"],
  ...["range", "len", "bytes", "decode", "sleep", "gethostbyname"],
];

const standIns: Readonly<Partial<Record<NonNullable<Row["from"]>, Row["from"]>>> = {
  probe: "unraw",
  two: "unrawtwo",
};

/** The rows of a section that can be tried so, of who stands in for whom it is about. */
function without(section: Section): readonly Row[] {
  return section.rows.flatMap((row): Row[] => {
    const from = standIns[row.from ?? "probe"];
    const words = [...row.attempt.matchAll(/\b(\w+)\(/g)].flatMap(([, word = ""]) => word);
    if (from === undefined || !words.every((word) => bySockets.includes(word))) return [];
    return [{ ...row, from, name: `${section.title}: ${row.name}` }];
  });
}

const wire = { from: "unraw", seen: ["wire"] } as const;
const sends = (kind: string, rest: string): string => `s = socket.socket(${kind}); ${rest}`;

export const unraw: Section = {
  title: "Without NET_RAW",
  rows: [
    ...[
      straightOut,
      shapes,
      outByIpv6,
      resolvers,
      grants,
      toHost,
      hostByIpv6,
      toContainers,
      second,
      kept,
    ].flatMap(without),
    {
      name: "echo of a socket for echoes",
      attempt: sends("socket.AF_INET, socket.SOCK_DGRAM, 1", "s.sendto(echo(to), (to, 0))"),
      ...wire,
    },
    {
      name: "echo of a socket for echoes, IPv6",
      attempt: sends("socket.AF_INET6, socket.SOCK_DGRAM, 58", "s.sendto(echo(to6), (to6, 0))"),
      ...wire,
    },
    {
      name: "UDP with the option to record its route",
      attempt: sends(
        "socket.AF_INET, socket.SOCK_DGRAM",
        "s.setsockopt(0, 4, bytes([7, 11, 4]) + bytes(8) + b'\\1'); s.sendto(token, (to, 9000))",
      ),
      ...wire,
    },
    {
      name: "UDP, several datagrams in one call",
      attempt: sends(
        "socket.AF_INET, socket.SOCK_DGRAM",
        "s.setsockopt(17, 103, len(token)); s.sendto(token * 3, (to, 9000))",
      ),
      ...wire,
    },
    {
      name: "TCP, data with the first segment",
      attempt: sends(
        "socket.AF_INET, socket.SOCK_STREAM",
        "s.settimeout(QUICK); quietly(lambda: s.sendto(token, 0x20000000, (to, 443)))",
      ),
      ...wire,
    },
    {
      name: "UDP-Lite",
      attempt: sends("socket.AF_INET, socket.SOCK_DGRAM, 136", "s.sendto(token, (to, 9000))"),
      ...wire,
    },
    {
      name: "a socket that binds another's address",
      attempt: sends(
        "socket.AF_INET, socket.SOCK_DGRAM",
        "s.setsockopt(0, 15, 1); s.bind((neighbour, sport)); s.sendto(token, (to, 9000))",
      ),
      ...wire,
      closedAnyway: "the kernel sends nothing from an address that it does not have",
    },
  ],
};
