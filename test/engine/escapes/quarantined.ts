// A container in quarantine: nothing of it goes anywhere, and nothing comes to it, neighbours included.

import { neighboursThere, secondRows } from "./second.ts";
import type { Observer, Row, Section } from "./table.ts";

const way =
  (seen: Observer) =>
  (name: string, attempt: string): Row => ({ name, from: "jailed", attempt, seen: [seen] });
const wire = way("wire");
const host = way("host");
const neighbour = way("neighbour");

const frame = (source: string, to: string): string =>
  `ip4(${source}, ${to}, 17, udp_segment(${source}, ${to}))`;

const out: readonly Row[] = [
  wire("to the internet, TCP", "tcp(to, 443)"),
  wire("to the internet, UDP", "udp(to, 9000)"),
  wire("to the internet, ICMP echo", "ping(to)"),
  wire("to the internet, IPv6 TCP", "tcp(to6, 443)"),
  wire("to the internet, IPv6 UDP", "udp(to6, 9000)"),
  wire("to an allowed address", "tcp(granted, 80)"),
  wire("to an allowed IPv6 address", "tcp('2001:db8:1::1a', 80)"),
  wire(
    "to an allowed address, under a neighbour's address",
    "frame4(victim, granted, 6, tcp_segment(victim, granted, 2))",
  ),
  wire("about a neighbour's flow, an ICMP error", "error_about(neighbour, '203.0.113.20')"),
  way("lookups")(
    "a question for an allowed name, of Docker's resolver",
    "ask('127.0.0.11', name=token.decode() + '.tunnel.example.net')",
  ),
  way("lookups")(
    "a question for an allowed name, of another server",
    "ask('198.51.100.53', name=token.decode() + '.tunnel.example.net')",
  ),
  host("to the host, TCP", "tcp(gw, 8099)"),
  host("to the host, UDP", "udp(gw, 8099)"),
  host("to the host, ICMP echo", "ping(gw)"),
  host("to the host, IPv6 UDP", "udp(gw6, 8099)"),
  host("to the host, link-local UDP", "udp(gwll, 8099)"),
  host("to the host, by an entry for host:8097/tcp", "tcp(gw, 8097)"),
  host(
    "to the host, neighbour solicitation",
    "frame6(link6(), gwll, 58, icmp6(link6(), gwll, 135, bytes(4) + packed(gwll)), hops=255)",
  ),
  way("reply")("ARP: who has the gateway", "arp_reply(gw)"),
  way("host's tables")("ARP to the host, of a free address", "arp(spare, gw, gwmac)"),
  host("a port that a neighbour publishes, by docker-proxy", "tcp(gw, 8092)"),
];

const toNeighbours: readonly Row[] = [
  neighbour("to a neighbour, TCP", "tcp(neighbour, 8000)"),
  neighbour("to a neighbour, UDP", "udp(neighbour, 8001)"),
  neighbour("to a neighbour, ICMP echo", "ping(neighbour)"),
  neighbour("to a neighbour, IPv6 TCP", "tcp(neighbour6, 8000)"),
  neighbour("to a neighbour, IPv6 UDP", "udp(neighbour6, 8001)"),
  neighbour("to a neighbour, link-local UDP", "udp(neighbourll, 8001)"),
  neighbour("to a neighbour, by a frame", "frame4(own(), neighbour, dst=neighbourmac)"),
  neighbour("to a neighbour, by a frame from a free address", "frame4(unused, neighbour, dst=neighbourmac)"),
  neighbour(
    "to a neighbour, by an IPv6 frame from a free address",
    "frame6(unused6, neighbour6, dst=neighbourmac)",
  ),
  neighbour(
    "to a neighbour, in a priority tag",
    `frame(0x8100, tagged(0x0800, ${frame("own()", "neighbour")}), dst=neighbourmac)`,
  ),
  neighbour(
    "to a neighbour, in two priority tags",
    `frame(0x8100, tagged(0x0800, ${frame("own()", "neighbour")}, 2), dst=neighbourmac)`,
  ),
  neighbour(
    "to a neighbour, IPv6 in a priority tag",
    "frame(0x8100, tagged(0x86DD, ip6(own6(), neighbour6, 17, udp_segment(own6(), neighbour6))), dst=neighbourmac)",
  ),
  neighbour(
    "to a neighbour, in another VLAN's tag",
    `frame(0x8100, b'\\0\\7\\x08\\0' + ${frame("own()", "neighbour")}, dst=neighbourmac)`,
  ),
  neighbour("to a neighbour, of another ethertype", "frame(0x88B5, token, dst=neighbourmac)"),
  neighbour("to all neighbours, broadcast", "udp(broadcast, 8001)"),
  neighbour("to all neighbours, multicast", "udp('239.1.2.3', 8001, group=True)"),
  neighbour("to all neighbours, IPv6 multicast", "ping('ff02::1')"),
  neighbour(
    "router advertisement",
    "frame6(link6(), 'ff02::1', 58, icmp6(link6(), 'ff02::1', 134, bytes(12)), dst='33:33:00:00:00:01', hops=255)",
  ),
  way("victim's tables")("ARP to a neighbour, of a free address", "arp(spare, victim, victimmac)"),
  way("victim's tables")(
    "neighbour solicitation to a neighbour, from a free address",
    "discover(135, victim6, spare6, victimmac, victim6)",
  ),
  way("reply")("ARP: who has a neighbour's address", "arp_reply(victim)"),
  way("reply")("neighbour solicitation: who has a neighbour's address", "solicitation_reply(victim6)"),
];

const to = (name: string, attempt: string, seen: Observer = "jailed"): Row => ({
  name,
  attempt,
  seen: [seen],
});

const inward: readonly Row[] = [
  to("from a neighbour, TCP", "tcp(jailed, 8000)"),
  to("from a neighbour, UDP", "udp(jailed, 8001)"),
  to("from a neighbour, ICMP echo", "ping(jailed)"),
  to("from a neighbour, IPv6 TCP", "tcp(jailed6, 8000)"),
  to("from a neighbour, IPv6 UDP", "udp(jailed6, 8001)"),
  to("from a neighbour, link-local UDP", "udp(jailedll, 8001)"),
  to("from a neighbour, by a frame", "frame4(own(), jailed, dst=jailedmac)"),
  to(
    "from a neighbour, in a priority tag",
    `frame(0x8100, tagged(0x0800, ${frame("own()", "jailed")}), dst=jailedmac)`,
  ),
  to("from a neighbour, of another ethertype", "frame(0x88B5, token, dst=jailedmac)"),
  to("from a neighbour, broadcast", "udp(broadcast, 8001)"),
  to("from a neighbour, multicast", "udp('239.1.2.3', 8001, group=True)"),
  to("from a neighbour, IPv6 multicast", "ping('ff02::1')"),
  to("from a neighbour, ARP: who has its address", "arp_reply(jailed)", "reply"),
  to("from a neighbour, neighbour solicitation: who has its address", "solicitation_reply(jailed6)", "reply"),
  { name: "from the host", from: "host", attempt: "request $jailed 8000", seen: ["reply", "jailed"] },
  { name: "from the host, IPv6", from: "host", attempt: "request $jailed6 8000", seen: ["reply", "jailed"] },
  {
    name: "from the host, UDP",
    from: "host",
    attempt: "echo $token > /dev/udp/$jailed/8001",
    seen: ["jailed"],
  },
  {
    name: "from the internet, a published port",
    from: "internet",
    attempt: "request $host 8095",
    seen: ["reply"],
  },
  {
    name: "from the internet, a published port, IPv6",
    from: "internet",
    attempt: "request $host6 8095",
    seen: ["reply"],
  },
  {
    name: "from the internet, a published port, UDP",
    from: "internet",
    attempt: "echo $token > /dev/udp/$host/8096",
    seen: ["jailed"],
  },
];

const onTwo: readonly Row[] = [...secondRows("jailedtwo"), ...neighboursThere("jailedtwo")].map((row) => ({
  ...row,
  name: `on an open network too: ${row.name}`,
}));

const inwardToTwo: readonly Row[] = (
  [
    ["TCP", "tcp(jailedtwo, 8000)"],
    ["UDP", "udp(jailedtwo, 8001)"],
    ["IPv6 UDP", "udp(jailedtwo6, 8001)"],
    ["ICMP echo", "ping(jailedtwo)"],
  ] as const
).map(([name, attempt]) => ({
  name: `on an open network too: from a neighbour there, ${name}`,
  from: "free",
  attempt,
  seen: ["jailedtwo"],
}));

export const quarantined: Section = {
  title: "In quarantine",
  rows: [...out, ...toNeighbours, ...inward, ...onTwo, ...inwardToTwo],
};
