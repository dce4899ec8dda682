// ICMP errors. One belongs, for the kernel, to the flow that it quotes, whichever host sends it; what passes because it does
// must be an error about what its sender itself has received.

import { hostServers, protocols } from "./flows.ts";
import type { Row, Section } from "./table.ts";

const wire = { seen: ["wire"] } as const;

const timeExceeded = (six: "" | "6"): string => (six === "" ? "11, 0" : "3, 0");

/** Whose flow is quoted, and the server that it leads to by IPv4 and by IPv6. */
const owners = [
  ["a neighbour's", "neighbour", "203.0.113.20", "2001:db8:1::14"],
  ["a container's of another guarded network", "vother", "203.0.113.90", "2001:db8:2::1d"],
  ["an open container's", "vplain", "203.0.113.91", "2001:db8:2::1e"],
  ["the host's", "host", hostServers.v4, hostServers.v6],
] as const;

/** For each protocol by IPv4 and by IPv6. */
const inEach = (name: string, attempt: (protocol: string, six: "" | "6") => string): Omit<Row, "seen">[] =>
  protocols.flatMap(([protocol, spoken]) => [
    { name: `${name}, ${spoken}`, attempt: attempt(protocol, "") },
    { name: `${name}, IPv6, ${spoken}`, attempt: attempt(protocol, "6") },
  ]);

const aboutOthers = owners.flatMap(([whose, owner, server, server6]): Row[] =>
  inEach(
    `about ${whose} flow`,
    (protocol, six) => `error_about(${owner}${six}, '${six === "" ? server : server6}', '${protocol}')`,
  ).map((row) => ({ ...row, ...wire })),
);

/**
 * About what reached the host, to who sent it; and to the host itself, about either kind of flow. The host's watcher takes
 * an unreachable by IPv4 for one of a kernel, so these are of another type.
 */
const aboutHosts: readonly Row[] = [
  ...inEach(
    "about a flow from the internet to the host",
    (protocol, six) => `error_about(host${six}, client${six}, '${protocol}', opened=True)`,
  ).map((row) => ({ ...row, ...wire })),
  ...inEach(
    "to the host, about its own flow",
    (protocol, six) =>
      `error_about('${six === "" ? hostServers.v4 : hostServers.v6}', host${six}, '${protocol}', ${timeExceeded(six)}, opened=True)`,
  ).map((row): Row => ({ ...row, seen: ["host"] })),
  ...inEach(
    "to the host, about a flow from the internet to it",
    (protocol, six) => `error_about(client${six}, host${six}, '${protocol}', ${timeExceeded(six)})`,
  ).map((row): Row => ({ ...row, seen: ["host"] })),
];

/** Every kind that connection tracking looks into. */
const kinds = [
  ["source quench", "4, 0", undefined],
  ["redirect", "5, 1", undefined],
  ["time exceeded", "11, 0", "3, 0"],
  ["a parameter's problem", "12, 0", "4, 0"],
  ["too big", "3, 4", "2, 0"],
].flatMap(([name, v4, v6]): Row[] => [
  {
    name: `about a neighbour's flow, ${name}`,
    attempt: `error_about(neighbour, '203.0.113.20', 'udp', ${v4})`,
    ...wire,
    ...(name === "redirect"
      ? { closedAnyway: "the kernel drops redirects of flows that it translates" }
      : {}),
  },
  ...(v6 === undefined
    ? []
    : [
        {
          name: `about a neighbour's flow, IPv6, ${name}`,
          attempt: `error_about(neighbour6, '2001:db8:1::14', 'udp', ${v6})`,
          ...wire,
        },
      ]),
]);

const guess = (owner: string, server: string): string =>
  `base = int(flow)\nfor port in range(base - 50, base + 50): error_about(${owner}, ${server}, port=port)`;

export const errors: Section = {
  title: "ICMP errors about flows of others",
  rows: [
    ...aboutOthers,
    ...aboutHosts,
    ...kinds,
    {
      name: "about a neighbour's flow, its port guessed",
      attempt: guess("neighbour", "'203.0.113.20'"),
      ...wire,
    },
    {
      name: "about a neighbour's flow, by a frame under the neighbour's address",
      attempt:
        "i = ip4('203.0.113.20', neighbour, 17, udp_segment('203.0.113.20', neighbour, 9000, int(flow)))\nframe4(neighbour, '203.0.113.20', 1, icmp4(3, 1, bytes(4) + i))",
      ...wire,
    },
    {
      name: "about a flow from the internet to a neighbour's published port",
      attempt:
        "i = ip4(client, published, 6, tcp_segment(client, published, 16, 8000, int(flow) + 4))\nraw(1, client, icmp4(3, 1, bytes(4) + i))",
      ...wire,
    },
    {
      name: "the same, IPv6",
      attempt:
        "i = ip6(client6, published6, 6, tcp_segment(client6, published6, 16, 8000, int(flow) + 4))\nraw6(58, client6, struct.pack('!BBHI', 1, 1, 0, 0) + i)",
      ...wire,
    },
    {
      name: "about a flow of its own, to that flow's server, but of another sender",
      attempt:
        "lookup('www.example.com')\nudp('203.0.113.11', 9000, sport=sport + 8000, data=b'granted')\nerror_about(neighbour, '203.0.113.11', port=sport + 8000)",
      ...wire,
    },
  ],
};

const open = { guarded: "open" } as const;

/** What must reach its server, or path MTU discovery is broken. */
export const ownErrors: readonly Row[] = [
  {
    name: "an ICMP error about what it has received itself",
    attempt:
      "lookup('www.example.com')\nudp('203.0.113.11', 9000, sport=sport + 8000, data=b'granted')\nerror_about(own(), '203.0.113.11', port=sport + 8000)",
    ...wire,
    ...open,
  },
  {
    name: "an ICMPv6 error about what it has received itself",
    attempt:
      "lookup('www.example.com')\nudp('2001:db8:1::11', 9000, sport=sport + 8000, data=b'granted')\nerror_about(own6(), '2001:db8:1::11', port=sport + 8000)",
    ...wire,
    ...open,
  },
  {
    name: "an ICMP error of a published container to its client",
    from: "published",
    attempt:
      "i = ip4(client, published, 6, tcp_segment(client, published, 16, 8000, int(flow) + 4))\nraw(1, client, icmp4(3, 4, bytes(4) + i))",
    ...wire,
    ...open,
  },
  {
    name: "an ICMPv6 error of a published container to its client",
    from: "published",
    attempt:
      "i = ip6(client6, published6, 6, tcp_segment(client6, published6, 16, 8000, int(flow) + 4))\nraw6(58, client6, struct.pack('!BBHI', 2, 0, 0, 1280) + i)",
    ...wire,
    // Before Engine 27 the userland proxy alone publishes by IPv6, and the client's flow ends at the host.
    guarded: { e20: "closed", e26: "closed", e28: "open" },
  },
];
