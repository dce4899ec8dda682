// Packets that connection tracking finds in no flow, calls invalid, or does not track: out, and in from the internet by
// an accomplice there. Which state a packet has hangs on its shape alone, so each is tried in every direction.

import { hostServers, protocols } from "./flows.ts";
import type { Observer, Row, Section } from "./table.ts";

type Shape = readonly [name: string, build: (from: string, to: string) => string];

const tcpWith = (flags: number) => (from: string, to: string) =>
  `tcp_segment(${from}, ${to}, ${flags}, dport=443)`;

const flagged: readonly Shape[] = (
  [
    ["a bare ACK", 16],
    ["a bare FIN", 1],
    ["a RST", 4],
    ["SYN and ACK of nobody's SYN", 18],
    ["FIN, URG and PSH", 41],
    ["no TCP flag at all", 0],
    ["SYN and FIN", 3],
  ] as const
).map(([name, flags]) => [`TCP, ${name}`, (from, to) => `6, ${tcpWith(flags)(from, to)}`]);

/** What is of no protocol in particular to IPv4 or IPv6. */
const common: readonly Shape[] = [
  ["TCP, a wrong checksum", (from, to) => `6, spoiled(${tcpWith(2)(from, to)}, 16)`],
  ["UDP, a wrong checksum", (from, to) => `17, spoiled(udp_segment(${from}, ${to}), 6)`],
  [
    "UDP, longer by its header than it is",
    (from, to) => `17, udp_segment(${from}, ${to})[:4] + b'\\1\\0\\0\\0' + token`,
  ],
  ["SCTP, data without an association", () => "132, sctp_data(sport, 443, token)"],
  ["SCTP, a wrong checksum", () => "132, spoiled(sctp_init(sport, 443, token), 8)"],
  // Version 1 that carries something else than PPP.
  ["GRE of an unknown kind", () => "47, b'\\x20\\1\\x08\\0' + bytes(4) + token"],
];

const shapes4: readonly Shape[] = [
  ["an ICMP echo reply without a request", (_, to) => `1, echo(${to}, kind=0)`],
  ["ICMP, a timestamp reply without a request", () => "1, icmp4(14, 0, bytes(16) + token)"],
  ["ICMP of an unknown type", () => "1, icmp4(42, 0, bytes(4) + token)"],
  ["ICMP echo, a wrong checksum", (_, to) => `1, spoiled(echo(${to}), 2)`],
  [
    "an ICMP error about nothing",
    (from, to) => `1, icmp4(11, 0, bytes(4) + ip4(${to}, ${from}, 17, udp_segment(${to}, ${from})))`,
  ],
];

const shapes6: readonly Shape[] = [
  ["an ICMPv6 echo reply without a request", (from, to) => `58, icmp6(${from}, ${to}, 129)`],
  ["ICMPv6 of an unknown type", (from, to) => `58, icmp6(${from}, ${to}, 200)`],
  [
    "an ICMPv6 error about nothing",
    (from, to) =>
      `58, icmp6(${from}, ${to}, 3, bytes(4) + ip6(${to}, ${from}, 17, udp_segment(${to}, ${from})))`,
  ],
  // The kernel tracks none of these, wherever they go to.
  ...(
    [
      ["a listener query", 130],
      ["a listener report", 131],
      ["a listener's done", 132],
      ["a router solicitation", 133],
      ["a router advertisement", 134],
      ["a neighbour solicitation", 135],
      ["a neighbour advertisement", 136],
      ["a listener report of version 2", 143],
    ] as const
  ).map(
    ([name, type]): Shape => [
      `not tracked, ${name}`,
      (from, to) => `58, icmp6(${from}, ${to}, ${type}, bytes(20))`,
    ],
  ),
];

/** Rows of shapes; `send` is put around what a shape is. */
const tried = (
  shapes: readonly Shape[],
  [from, to]: readonly [string, string],
  { prefix = "", send, seen }: { prefix?: string; send: (packet: string) => string; seen: Observer },
): Row[] =>
  shapes.map(([name, build]) => ({ name: prefix + name, attempt: send(build(from, to)), seen: [seen] }));

const out = (to: string) => (packet: string) => `frame4(own(), ${to}, ${packet})`;
const out6 = (to: string) => (packet: string) => `frame6(own6(), ${to}, ${packet})`;

const some = (shapes: readonly Shape[], ...at: readonly number[]): readonly Shape[] =>
  shapes.filter((_, index) => at.includes(index));

/** A few of the shapes, where all of them would show the same again. */
const few4 = [...some(flagged, 0, 2), ...some(common, 1, 3), ...some(shapes4, 0, 2)];
const few6 = [...some(flagged, 0, 2), ...some(common, 1, 3), ...some(shapes6, 0, 1, 3, 8)];

const granted = "'203.0.113.11'";
const granted6 = "'2001:db8:1::11'";
/** A bare ACK begins a flow, and some messages are not tracked. */
const isInvalid = ([name]: Shape): boolean => !/bare ACK|^not tracked/.test(name);

export const states: Section = {
  title: "Out, in a state of connection tracking that is no flow's",
  rows: [
    ...tried([...common, ...shapes4.slice(1)], ["own()", "to"], { send: out("to"), seen: "wire" }),
    {
      name: "UDP, a wrong checksum behind an option",
      attempt:
        "raw(17, to, spoiled(udp_segment(own(), to), 6), options=bytes([7, 11, 4]) + bytes(8) + b'\\1')",
      seen: ["wire"],
    },
    ...tried([...flagged, ...common, ...shapes6], ["own6()", "to6"], {
      prefix: "IPv6: ",
      send: out6("to6"),
      seen: "wire",
    }),
    ...tried([...few4, ...some(flagged, 3)].filter(isInvalid), ["own()", granted], {
      prefix: "to an allowed name: ",
      send: (packet) => `lookup('www.example.com')\n${out(granted)(packet)}`,
      seen: "wire",
    }),
    ...tried([...few6, ...some(flagged, 3)].filter(isInvalid), ["own6()", granted6], {
      prefix: "to an allowed name, IPv6: ",
      send: (packet) => `lookup('www.example.com')\n${out6(granted6)(packet)}`,
      seen: "wire",
    }),
    {
      name: "to an allowed name: out of the window of its own TCP flow",
      attempt: `lookup('www.example.com'); beyond_window(own(), ${granted})`,
      seen: ["wire"],
    },
    {
      name: "to an allowed name, IPv6: out of the window of its own TCP flow",
      attempt: `lookup('www.example.com'); beyond_window(own6(), ${granted6})`,
      seen: ["wire"],
    },
    ...tried(shapes6.slice(3), ["own6()", "'2001:db8:1::1a'"], {
      prefix: "an IPv6 address entry for port 80/tcp: ",
      send: out6("'2001:db8:1::1a'"),
      seen: "wire",
    }),
    ...tried(few4, ["own()", "gw"], { prefix: "to the host: ", send: out("gw"), seen: "host" }),
    ...tried(few6, ["own6()", "gw6"], { prefix: "to the host, IPv6: ", send: out6("gw6"), seen: "host" }),
    ...tried(few4, ["own()", "vplain"], {
      prefix: "to a container on an open network: ",
      send: out("vplain"),
      seen: "plain",
    }),
    ...tried(few6, ["own6()", "vplain6"], {
      prefix: "to a container on an open network, IPv6: ",
      send: out6("vplain6"),
      seen: "plain",
    }),
  ],
};

const thrown = (packet: string): string => `far(ip4(far_address, neighbour, ${packet}))`;
const thrown6 = (packet: string): string => `far(ip6(far6, neighbour6, ${packet}))`;

/** About flows of whom, how the internet sees that one, and the server. */
const others = [
  ["a container's of another guarded network", "203.0.113.90", "vother6", "2001:db8:2::1d"],
  ["an open container's", "203.0.113.91", "vplain6", "2001:db8:2::1e"],
  ["the host's", hostServers.v4, "host6", hostServers.v6],
] as const;

const aboutOthers = others.flatMap(([whose, server, owner6, server6]) =>
  protocols.flatMap(([protocol, spoken]): Row[] => [
    {
      name: `an ICMP error about ${whose} flow, ${spoken}`,
      attempt: `far(far_error(neighbour, host, '${server}', '${protocol}'))`,
      seen: ["neighbour"],
    },
    {
      name: `an ICMPv6 error about ${whose} flow, ${spoken}`,
      attempt: `far(far_error(neighbour6, natted6 or ${owner6}, '${server6}', '${protocol}'))`,
      seen: ["neighbour"],
    },
  ]),
);

const begins4: readonly Shape[] = [
  ["TCP, a SYN", (from, to) => `6, ${tcpWith(2)(from, to)}`],
  ["UDP", (from, to) => `17, udp_segment(${from}, ${to})`],
  ["ICMP echo", (_, to) => `1, echo(${to})`],
  ["SCTP, INIT", () => "132, sctp_init(sport, 443, token)"],
  ["GRE", (from, to) => `47, gre(${from}, ${to})`],
  ["IP protocol 99", () => "99, token"],
];
const begins6: readonly Shape[] = [
  ...some(begins4, 0, 1, 3, 5),
  ["ICMPv6 echo", (from, to) => `58, icmp6(${from}, ${to}, 128)`],
  ["GRE", () => "47, bytes(4) + token"],
];

/** Without ICMPv6 of a wrong checksum, which raw sockets do not show. */
export const inwardStates: Section = {
  title: "In, to a container that publishes nothing, in every state",
  rows: [
    ...tried([...begins4, ...flagged, ...common, ...shapes4], ["far_address", "neighbour"], {
      send: thrown,
      seen: "neighbour",
    }),
    ...tried([...begins6, ...flagged, ...common, ...shapes6], ["far6", "neighbour6"], {
      prefix: "IPv6: ",
      send: thrown6,
      seen: "neighbour",
    }),
    {
      name: "UDP in fragments",
      attempt:
        "far(*fragments4(far_address, neighbour, udp_segment(far_address, neighbour) + bytes(64), 32))",
      seen: ["neighbour"],
    },
    {
      name: "IPv6: UDP in fragments",
      attempt:
        "d = udp_segment(far6, neighbour6) + bytes(64)\nfar(*[ip6(far6, neighbour6, 44, bytes([17, 0]) + struct.pack('!HI', at | (at + 32 < len(d)), sport) + d[at:at + 32]) for at in range(0, len(d), 32)])",
      seen: ["neighbour"],
    },
    {
      // Beyond it: what is older than what was acknowledged already is of the flow to the kernel (tcp_in_window()).
      name: "IPv6: out of the window of its TCP flow",
      attempt:
        "far(ip6('2001:db8:1::14', neighbour6, 6, tcp_at('2001:db8:1::14', neighbour6, 9000, int(flow) + 1, 0, token)), order=b'beyond ' + (natted6 or neighbour6).encode())",
      seen: ["neighbour"],
    },
    {
      name: "a multicast group",
      attempt: "far(ip4(far_address, '239.1.2.3', 17, udp_segment(far_address, '239.1.2.3', 8001)))",
      seen: ["neighbour"],
      closedAnyway: "the kernel routes no multicast",
    },
    ...aboutOthers,
    ...tried(few4, ["own()", "neighbour"], {
      prefix: "from a container on an open network: ",
      send: out("neighbour"),
      seen: "neighbour",
    }).map((row): Row => ({ ...row, from: "free" })),
    ...tried(few6, ["own6()", "neighbour6"], {
      prefix: "from a container on an open network, IPv6: ",
      send: out6("neighbour6"),
      seen: "neighbour",
    }).map((row): Row => ({ ...row, from: "free" })),
  ],
};

/**
 * What must go on to reach a container, or path MTU discovery is broken; the accomplice sends it, so it shows that this
 * one is at work. Twice with a pause: the kernel forgets an SCTP flow that nobody answers within three seconds, and
 * flows.py may be late.
 */
export const errorsOfRouters: readonly Row[] = protocols.flatMap(([protocol, spoken]): Row[] => [
  {
    name: `from the internet, an ICMP error about its own flow, ${spoken}`,
    attempt: `far(far_error(host, host, '203.0.113.20', '${protocol}'), pause=1)`,
    seen: ["neighbour"],
    guarded: "open",
  },
  {
    name: `from the internet, an ICMPv6 error about its own flow, ${spoken}`,
    attempt: `a = natted6 or neighbour6; far(far_error(a, a, '2001:db8:1::14', '${protocol}'), pause=1)`,
    seen: ["neighbour"],
    guarded: "open",
  },
]);
