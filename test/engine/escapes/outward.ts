// Straight out, to the internet, by every protocol and in every shape.

import { long } from "../../support/chosen.ts";
import { askedUnderNeighbours } from "./link.ts";
import type { Section } from "./table.ts";

const wire = { seen: ["wire"] } as const;

export const straightOut: Section = {
  title: "To an address on the internet",
  rows: [
    { name: "TCP, port 443", attempt: "tcp(to, 443)", ...wire },
    { name: "UDP, port 9000", attempt: "udp(to, 9000)", ...wire },
    {
      name: "TCP and UDP, a sample of 2,000 ports each",
      attempt: `every_port(to, ${long ? 1 : 64})`,
      ...wire,
      least: long ? 125_000 : 3500,
    },
    { name: "ICMP echo", attempt: "ping(to)", ...wire },
    { name: "SCTP", attempt: "raw(132, to, sctp_init(sport, 443, token))", ...wire },
    { name: "GRE", attempt: "raw(47, to, gre(own(), to))", ...wire },
    { name: "IP in IP", attempt: "raw(4, to, ip4(own(), to, 17, udp_segment(own(), to, 9000)))", ...wire },
    { name: "IPv6 in IPv4", attempt: "raw(41, to, ip6('fd00::1', to6, 59, b''))", ...wire },
    { name: "IP protocol 99", attempt: "raw(99, to)", ...wire },
    {
      name: "all 256 IP protocols",
      attempt: "for p in range(256): raw(p, to)",
      ...wire,
      least: 250,
    },
    {
      name: "TCP by a frame of its own making",
      attempt: "frame4(own(), to, 6, tcp_segment(own(), to, 2))",
      ...wire,
    },
    { name: "metadata address 169.254.169.254, TCP", attempt: "tcp('169.254.169.254', 80)", ...wire },
    { name: "another link-local address, UDP", attempt: "udp('169.254.7.7', 9000)", ...wire },
    { name: "a private address beyond the host, UDP", attempt: "udp('10.99.0.1', 9000)", ...wire },
  ],
};

export const shapes: Section = {
  title: "In an odd shape",
  rows: [
    ...[53, 67, 123].flatMap((port) => [
      { name: `TCP from port ${port}`, attempt: `tcp(to, 443, sport=${port})`, ...wire },
      { name: `UDP from port ${port}`, attempt: `udp(to, 443, sport=${port})`, ...wire },
    ]),
    { name: "time to live 2", attempt: "udp(to, 9000, ttl=2)", ...wire },
    { name: "time to live 255", attempt: "udp(to, 9000, ttl=255)", ...wire },
    {
      name: "fragments of 8 bytes",
      attempt: "for f in fragments4(own(), to, udp_segment(own(), to) + bytes(400), 8): frame(0x0800, f)",
      ...wire,
    },
    {
      name: "large fragments",
      attempt:
        "d = udp_segment(own(), to)[:4] + b'\\x0f\\xa0\\0\\0' + token + bytes(4000 - 8 - len(token))\nfor f in fragments4(own(), to, d, 1400): frame(0x0800, f)",
      ...wire,
    },
    {
      name: "large fragments, of a granted address until their destination is filled in on the way out",
      attempt: "lookup('www.example.com')\nfilled_in('203.0.113.11', '203.0.113.66')",
      ...wire,
      dependsOnKernel: true,
    },
    {
      name: "a last fragment without its first",
      attempt: "raw(17, to, token, frag=100)",
      ...wire,
      closedAnyway: "connection tracking waits for the first fragment",
    },
    {
      name: "overlapping fragments",
      attempt:
        "frame(0x0800, ip4(own(), to, 17, udp_segment(own(), to)[:24], more=True, ident=9))\nframe(0x0800, ip4(own(), to, 17, token * 4, frag=1, ident=9))",
      ...wire,
      closedAnyway: "connection tracking discards fragments that overlap",
    },
    ...[
      ["a bare ACK", "16"],
      ["a bare FIN", "1"],
      ["a RST", "4"],
      ["SYN and ACK of nobody's SYN", "18"],
      ["FIN, URG and PSH", "41"],
      ["no TCP flag at all", "0"],
      ["SYN and FIN", "3"],
    ].map(([name, flags]) => ({
      name: `TCP, ${name}`,
      attempt: `raw(6, to, tcp_segment(own(), to, ${flags}, dport=443))`,
      ...wire,
    })),
    { name: "an echo reply that nobody asked for", attempt: "raw(1, to, echo(to, kind=0))", ...wire },
    {
      name: "an ICMP error about nothing",
      attempt: "raw(1, to, icmp4(3, 1, bytes(4) + ip4(to, own(), 17, udp_segment(to, own()))))",
      ...wire,
    },
    {
      name: "an ICMP error about a granted flow, to another container",
      attempt:
        "lookup('www.example.com')\nudp('203.0.113.11', 9000, sport=sport + 8000, data=b'granted')\nraw(1, to, icmp4(3, 1, bytes(4) + ip4('203.0.113.11', own(), 17, udp_segment('203.0.113.11', own(), sport + 8000, 9000))))",
      seen: ["wire"],
    },
    {
      name: "option: record route",
      attempt: "raw(17, to, udp_segment(own(), to), options=bytes([7, 11, 4]) + bytes(8) + b'\\1')",
      ...wire,
    },
    {
      name: "option: loose source route",
      attempt:
        "raw(17, gw, udp_segment(own(), to), options=bytes([131, 7, 4]) + socket.inet_aton(to) + b'\\1')",
      ...wire,
      closedAnyway: "the kernel takes no source routes",
    },
    {
      name: "a scan by nmap, FIN and fragments",
      attempt:
        "sh('LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/blas:/usr/lib/x86_64-linux-gnu/lapack nmap -n -Pn -sF -f -p 80 --max-retries 0 $to', 40)",
      ...wire,
    },
    { name: "hping3, raw IP", attempt: "sh('hping3 -0 -H 200 -c 1 -d 20 $to')", ...wire },
  ],
};

export const resolvers: Section = {
  title: "DNS that goes past the policy",
  rows: [
    { name: "another server, port 53", attempt: "ask(to)", ...wire },
    { name: "a server that answers everything, port 53", attempt: "ask('203.0.113.66')", seen: ["lookups"] },
    { name: "the same, port 5353", attempt: "ask('203.0.113.66', 5353)", seen: ["lookups"] },
    { name: "the site's own resolver, port 53", attempt: "ask('198.51.100.53')", seen: ["lookups"] },
    {
      name: "port 53 by a frame of its own making",
      attempt: "frame4(own(), to, payload=udp_segment(own(), to, dport=53))",
      ...wire,
    },
    {
      name: "port 53 in fragments",
      attempt:
        "q = dns_question(token.decode() + '.example.org')\nd = struct.pack('!HHHH', sport, 53, 8 + len(q), 0) + q\nfor f in fragments4(own(), '203.0.113.66', d, 16): frame(0x0800, f)",
      seen: ["lookups"],
    },
    {
      name: "DNS over TLS (dig)",
      attempt: "sh('dig +tls +time=1 +tries=1 @$to $token.example.org')",
      ...wire,
    },
    {
      name: "DNS over HTTPS (dig)",
      attempt: "sh('dig +https +time=1 +tries=1 @$to $token.example.org')",
      ...wire,
    },
    { name: "DNS over QUIC, UDP port 853", attempt: "udp(to, 853)", ...wire },
    { name: "HTTP/3, UDP port 443", attempt: "udp(to, 443)", ...wire },
    { name: "a denied name, of Docker's resolver", attempt: "ask('127.0.0.11')", seen: ["lookups"] },
    {
      name: "a denied name, of Docker's resolver at its real ports",
      attempt: "for p in resolver_ports(): ask('127.0.0.11', p)",
      seen: ["lookups"],
    },
    {
      name: "the same, by a frame to itself",
      attempt:
        "q = dns_question(token.decode() + '.example.org')\nfor p in resolver_ports():\n  frame4(own(), '127.0.0.11', dst='00:00:00:00:00:00', payload=udp_segment(own(), '127.0.0.11', p, data=q), device='lo')",
      seen: ["lookups"],
      closedAnyway: "the kernel takes a loopback address from no wire",
    },
    {
      name: "NET_ADMIN: deletes our table in its sandbox, asks Docker's resolver",
      from: "flusher",
      attempt: "sh('nft delete table ip dockerwall'); ask('127.0.0.11')",
      seen: ["lookups"],
    },
    {
      name: "NET_ADMIN: translates what we have let pass to Docker's real port",
      from: "mangler",
      attempt: "mangle_ports(); ask('127.0.0.11')",
      seen: ["lookups"],
    },
    {
      name: "NET_ADMIN: takes an address of an open network instead of its own, asks Docker's resolver",
      from: "mover",
      attempt: "move_to(plainfree, plaingw); ask('127.0.0.11')",
      seen: ["lookups"],
    },
  ],
};

export const grants: Section = {
  title: "Beyond what was granted",
  rows: [
    {
      name: "a name that a neighbour was granted",
      attempt: "time.sleep(1); tcp('203.0.113.20', 80)",
      ...wire,
    },
    {
      name: "the same, under the neighbour's address",
      attempt:
        "time.sleep(1); frame4(neighbour, '203.0.113.20', 6, tcp_segment(neighbour, '203.0.113.20', 2))",
      ...wire,
    },
    {
      name: "the same, under the neighbour's address and MAC",
      attempt:
        "time.sleep(1); frame4(taken, '203.0.113.20', 6, tcp_segment(taken, '203.0.113.20', 2), src_mac=takenmac)",
      ...wire,
    },
    ...[
      ["the next port", "tcp('203.0.113.12', 444)"],
      ["port 80", "tcp('203.0.113.12', 80)"],
      ["UDP to the same port", "udp('203.0.113.12', 443)"],
      ["ICMP", "ping('203.0.113.12')"],
      ["SCTP to the same port", "raw(132, '203.0.113.12', sctp_init(sport, 443, token))"],
    ].map(([name, attempt]) => ({
      name: `an entry for port 443/tcp: ${name}`,
      attempt: `lookup('api.example.com'); ${attempt}`,
      ...wire,
    })),
    ...[
      ["the next port", "tcp('198.51.100.21', 81)"],
      ["UDP to the same port", "udp('198.51.100.21', 80)"],
      ["ICMP", "ping('198.51.100.21')"],
      ["the next address", "tcp('198.51.100.22', 80)"],
      // Of a protocol without ports, only one container can have a flow to one address.
      ["GRE", "raw(47, granted, gre(own(), granted))"],
      ["IP protocol 99", "raw(99, granted)"],
    ].map(([name, attempt]) => ({
      name: `an address entry for port 80/tcp: ${name}`,
      attempt: attempt ?? "",
      ...wire,
    })),
    {
      name: "a name that a neighbour was granted, by IPv6",
      attempt: "time.sleep(1); tcp('2001:db8:1::14', 80)",
      ...wire,
    },
    {
      name: "the same, under the neighbour's IPv6 address",
      attempt:
        "time.sleep(1); frame6(neighbour6, '2001:db8:1::14', 6, tcp_segment(neighbour6, '2001:db8:1::14', 2))",
      ...wire,
    },
    ...askedUnderNeighbours,
    ...[
      ["the next port", "tcp('2001:db8:1::13', 444)"],
      ["port 80", "tcp('2001:db8:1::13', 80)"],
      ["UDP to the same port", "udp('2001:db8:1::13', 443)"],
      ["ICMPv6", "ping('2001:db8:1::13')"],
      ["SCTP to the same port", "raw6(132, '2001:db8:1::13', sctp_init(sport, 443, token))"],
    ].map(([name, attempt]) => ({
      name: `an entry for port 443/tcp, by IPv6: ${name}`,
      attempt: `lookup('v6only.example.com'); ${attempt}`,
      ...wire,
    })),
    ...[
      ["the next port", "tcp('2001:db8:1::1a', 81)"],
      ["UDP to the same port", "udp('2001:db8:1::1a', 80)"],
      ["ICMPv6", "ping('2001:db8:1::1a')"],
      ["the next address", "tcp('2001:db8:1::1b', 80)"],
      ["GRE", "raw6(47, granted6)"],
    ].map(([name, attempt]) => ({
      name: `an IPv6 address entry for port 80/tcp: ${name}`,
      attempt: attempt ?? "",
      ...wire,
    })),
  ],
};
