// IPv6 in every form: of a network that has it, and of one that has not and whose container brings its own.

import type { Row, Section } from "./table.ts";

const wire = { seen: ["wire"] } as const;
const host = { seen: ["host"] } as const;

export const outByIpv6: Section = {
  title: "Out by IPv6",
  rows: [
    { name: "TCP, port 443", attempt: "tcp(to6, 443)", ...wire },
    { name: "UDP, port 9000", attempt: "udp(to6, 9000)", ...wire },
    { name: "ICMPv6 echo", attempt: "ping(to6)", ...wire },
    {
      name: "all IP protocols",
      attempt: "for p in range(1, 255): frame6(own6(), to6, p, token)",
      ...wire,
      // Some numbers are extension headers, which nothing routes when they make no sense.
      least: 200,
    },
    { name: "SCTP", attempt: "raw6(132, to6, sctp_init(sport, 443, token))", ...wire },
    { name: "another DNS server, port 53", attempt: "ask(to6)", ...wire },
    { name: "a DNS server that answers everything", attempt: "ask('2001:db8:2::66')", seen: ["lookups"] },
    { name: "the same, port 5353", attempt: "ask('2001:db8:2::66', 5353)", seen: ["lookups"] },
    { name: "DNS over TLS, TCP port 853", attempt: "tcp(to6, 853)", ...wire },
    { name: "DNS over QUIC, UDP port 853", attempt: "udp(to6, 853)", ...wire },
    { name: "UDP from port 53", attempt: "udp(to6, 9000, sport=53)", ...wire },
    { name: "a unique local address", attempt: "udp('fd99::1', 9000)", ...wire },
    {
      name: "the mapped address of IPv4",
      attempt: "frame6(own6(), '::ffff:203.0.113.30')",
      ...wire,
    },
    { name: "NAT64's prefix", attempt: "frame6(own6(), '64:ff9b::cb00:711e')", ...wire },
    {
      name: "behind a hop-by-hop header",
      attempt: "frame6(own6(), to6, 0, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp_segment(own6(), to6))",
      ...wire,
    },
    {
      name: "behind a destination header",
      attempt: "frame6(own6(), to6, 60, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp_segment(own6(), to6))",
      ...wire,
    },
    {
      name: "as an only fragment",
      attempt: "frame6(own6(), to6, 44, bytes([17, 0, 0, 0, 0, 0, 0, 9]) + udp_segment(own6(), to6))",
      ...wire,
    },
    {
      name: "in fragments",
      attempt:
        "d = udp_segment(own6(), to6) + bytes(64)\nfor at in range(0, len(d), 16): frame6(own6(), to6, 44, bytes([17, 0]) + struct.pack('!HI', at | (at + 16 < len(d)), 77) + d[at:at + 16])",
      ...wire,
    },
    {
      name: "a unique local source on a network of global addresses",
      attempt: "frame6('fd00:77::1', to6)",
      ...wire,
    },
    { name: "from a network of unique local addresses, TCP", from: "ula", attempt: "tcp(to6, 443)", ...wire },
    {
      name: "from a network of unique local addresses, UDP",
      from: "ula",
      attempt: "udp(to6, 9000)",
      ...wire,
    },
    { name: "from a network without IPv4, TCP", from: "six", attempt: "tcp(to6, 443)", ...wire },
    { name: "from a network without IPv4, UDP", from: "six", attempt: "udp(to6, 9000)", ...wire },
    { name: "from a network without IPv4, DNS to another server", from: "six", attempt: "ask(to6)", ...wire },
    {
      name: "from a network without IPv4, an IPv4 address of its own making",
      from: "six",
      attempt: "frame4('198.18.77.7', to)",
      ...wire,
    },
    {
      name: "from a network without IPv4, a denied name, of Docker's resolver",
      from: "six",
      attempt: "ask('127.0.0.11')",
      seen: ["lookups"],
    },
  ],
};

export const hostByIpv6: Section = {
  title: "To the host and its links by IPv6",
  rows: [
    ...(
      [
        ["the network's gateway", "gw6"],
        ["the gateway's link-local address", "gwll"],
        ["the host's address on the uplink", "host6"],
        ["the gateway of an open network", "plaingw6"],
      ] as const
    ).flatMap(([name, address]): Row[] => [
      { name: `${name}, TCP`, attempt: `tcp(${address}, 8099)`, ...host },
      { name: `${name}, UDP`, attempt: `udp(${address}, 8099)`, ...host },
      { name: `${name}, ICMPv6 echo`, attempt: `ping(${address})`, ...host },
    ]),
    { name: "all nodes (ff02::1), echo", attempt: "ping('ff02::1')", ...host },
    { name: "mDNS (ff02::fb)", attempt: "udp('ff02::fb', 5353)", ...host },
    { name: "DHCPv6 (ff02::1:2)", attempt: "udp('ff02::1:2', 547)", ...host },
    { name: "a site's group (ff05::123)", attempt: "udp('ff05::123', 8099)", ...host },
    {
      name: "router advertisement",
      attempt:
        "frame6(link6(), 'ff02::1', 58, icmp6(link6(), 'ff02::1', 134, bytes(12)), dst='33:33:00:00:00:01', hops=255)",
      ...host,
    },
    {
      name: "router advertisement, as its neighbours see it",
      attempt:
        "frame6(link6(), 'ff02::1', 58, icmp6(link6(), 'ff02::1', 134, bytes(12)), dst='33:33:00:00:00:01', hops=255)",
      seen: ["neighbour"],
    },
    {
      name: "router advertisement to the host alone",
      attempt: "frame6(link6(), gwll, 58, icmp6(link6(), gwll, 134, bytes(12)), hops=255)",
      ...host,
    },
    {
      name: "redirect",
      attempt: "frame6(link6(), gwll, 58, icmp6(link6(), gwll, 137, bytes(36)), hops=255)",
      ...host,
    },
    {
      name: "neighbour solicitation that was routed (hop limit 64)",
      attempt: "frame6(link6(), gwll, 58, icmp6(link6(), gwll, 135, bytes(4) + packed(gwll)), hops=64)",
      ...host,
    },
    {
      name: "neighbour advertisement that was routed (hop limit 64)",
      attempt: "frame6(link6(), gwll, 58, icmp6(link6(), gwll, 136, bytes(4) + packed(neighbour6)), hops=64)",
      ...host,
    },
    {
      name: "neighbour advertisement from an address of nobody here (hop limit 255)",
      attempt:
        "a = '2001:db8:dead::1'; frame6(a, gwll, 58, icmp6(a, gwll, 136, bytes([32, 0, 0, 0]) + packed(a)), hops=255)",
      ...host,
    },
    {
      name: "multicast listener report",
      attempt:
        "frame6(link6(), 'ff02::1', 58, icmp6(link6(), 'ff02::1', 143, bytes(4)), dst='33:33:00:00:00:01', hops=1)",
      ...host,
    },
    {
      name: "node information query",
      attempt: "frame6(link6(), gwll, 58, icmp6(link6(), gwll, 139, bytes(12)), hops=255)",
      ...host,
    },
  ],
};

export const broughtAlong: Section = {
  title: "From a network without IPv6, by frames with addresses of its own making",
  rows: [
    {
      name: "to the host's link-local address, UDP",
      from: "four",
      attempt: "frame6('fe80::dead', gwll)",
      ...host,
    },
    {
      name: "to the host's link-local address, echo",
      from: "four",
      attempt: "frame6('fe80::dead', gwll, 58, icmp6('fe80::dead', gwll, 128))",
      ...host,
    },
    {
      name: "to the host's link-local address, TCP",
      from: "four",
      attempt: "frame6('fe80::dead', gwll, 6, tcp_segment('fe80::dead', gwll, 2, dport=8099))",
      ...host,
    },
    {
      name: "to the host's address on the uplink, UDP",
      from: "four",
      attempt: "frame6('fe80::dead', host6); frame6(plainfree6, host6)",
      ...host,
    },
    {
      name: "to the internet, from a global address that is routed here",
      from: "four",
      attempt: "frame6(plainfree6, to6)",
      ...wire,
    },
    {
      name: "to the internet, from a unique local address",
      from: "four",
      attempt: "frame6('fd00:77::1', to6)",
      ...wire,
    },
    {
      name: "DNS to another server",
      from: "four",
      attempt:
        "frame6(plainfree6, '2001:db8:2::66', payload=udp_segment(plainfree6, '2001:db8:2::66', 53, data=dns_question(token.decode() + '.example.org')))",
      seen: ["lookups"],
    },
    {
      name: "router advertisement",
      from: "four",
      attempt:
        "frame6('fe80::dead', 'ff02::1', 58, icmp6('fe80::dead', 'ff02::1', 134, bytes(12)), dst='33:33:00:00:00:01', hops=255)",
      ...host,
    },
    {
      name: "neighbour solicitation",
      from: "four",
      attempt:
        "frame6('fe80::dead', gwll, 58, icmp6('fe80::dead', gwll, 135, bytes(4) + packed(gwll)), hops=255)",
      ...host,
    },
    {
      name: "neighbour advertisement",
      from: "four",
      attempt:
        "frame6('fe80::dead', gwll, 58, icmp6('fe80::dead', gwll, 136, bytes([32, 0, 0, 0]) + packed('fe80::dead')), hops=255)",
      ...host,
    },
    {
      name: "to an open container's own address, UDP",
      from: "four",
      attempt: "frame6(plainfree6, vplain6)",
      seen: ["plain"],
    },
  ],
};
