// To the host, and through it to other containers.

import type { Row, Section } from "./table.ts";

const host = { seen: ["host"] } as const;

const everyWay = (name: string, address: string): Row[] => [
  { name: `${name}, TCP`, attempt: `tcp(${address}, 8099)`, ...host },
  { name: `${name}, UDP`, attempt: `udp(${address}, 8099)`, ...host },
  { name: `${name}, ICMP echo`, attempt: `ping(${address})`, ...host },
];

export const toHost: Section = {
  title: "To the host itself",
  rows: [
    ...everyWay("the network's gateway", "gw"),
    {
      name: "the network's gateway, a sample of 2,000 ports of TCP and UDP each",
      attempt: "every_port(gw)",
      ...host,
      least: 3500,
    },
    {
      name: "the network's gateway, all IP protocols",
      attempt: "for p in range(1, 255): raw(p, gw)",
      ...host,
      least: 200,
    },
    ...everyWay("the host's address on the uplink", "host"),
    ...everyWay("the gateway of an open network", "plaingw"),
    ...everyWay("the gateway of another guarded network", "othergw"),
    ...everyWay("the gateway of the default bridge", "defaultgw"),
    ...[53, 67, 123].map((port) => ({
      name: `the network's gateway, UDP from port ${port}`,
      attempt: `udp(gw, 8099, sport=${port})`,
      ...host,
    })),
    { name: "an entry for host:8097/tcp: the next port", attempt: "tcp(gw, 8098)", ...host },
    { name: "an entry for host:8097/tcp: UDP", attempt: "udp(gw, 8097)", ...host },
    { name: "an entry for host:8097/tcp: IPv6 UDP", attempt: "udp(gw6, 8097)", ...host },
    { name: "the network's gateway, time to live 1", attempt: "udp(gw, 8099, ttl=1)", ...host },
    {
      name: "the network's gateway, under a neighbour's address",
      attempt: "frame4(neighbour, gw, payload=udp_segment(neighbour, gw))",
      ...host,
    },
    {
      name: "0.0.0.0 by a frame, from 0.0.0.0",
      attempt: "frame4('0.0.0.0', '0.0.0.0')",
      ...host,
    },
    {
      name: "127.0.0.1 by a frame",
      attempt: "frame4(own(), '127.0.0.1')",
      ...host,
      closedAnyway: "the kernel takes a loopback address from no wire",
    },
    {
      name: "[::] by a frame",
      attempt: "frame6(own6(), '::')",
      ...host,
      closedAnyway: "the kernel takes the unspecified address from no wire",
    },
    {
      name: "[::1] by a frame",
      attempt: "frame6(own6(), '::1')",
      ...host,
      closedAnyway: "the kernel takes a loopback address from no wire",
    },
    { name: "broadcast 255.255.255.255", attempt: "udp('255.255.255.255', 8099)", ...host },
    { name: "broadcast of its own subnet", attempt: "udp(broadcast, 8099)", ...host },
    {
      name: "DHCP",
      attempt:
        "frame4('0.0.0.0', '255.255.255.255', payload=udp_segment('0.0.0.0', '255.255.255.255', 67, 68), dst='ff:ff:ff:ff:ff:ff')",
      ...host,
    },
    { name: "mDNS", attempt: "udp('224.0.0.251', 5353, group=True)", ...host },
    { name: "another multicast group", attempt: "udp('239.1.2.3', 8099, group=True)", ...host },
    { name: "IGMP", attempt: "raw(2, '224.0.0.1', icmp4(0x11, 100, bytes(4) + token))", ...host },
    { name: "the daemon's listener, UDP", attempt: "udp(gw, 5053)", ...host },
    { name: "the daemon's listener, TCP", attempt: "tcp(gw, 5053)", ...host },
    { name: "the daemon's listener at the uplink's address, UDP", attempt: "udp(host, 5053)", ...host },
    { name: "the daemon's listener at the uplink's address, TCP", attempt: "tcp(host, 5053)", ...host },
    { name: "the daemon's listener, UDP from port 53", attempt: "udp(gw, 5053, sport=53)", ...host },
    { name: "the daemon's listener, IPv6 UDP", attempt: "udp(gw6, 5053)", ...host },
    { name: "the daemon's listener, IPv6 TCP", attempt: "tcp(gw6, 5053)", ...host },
    {
      name: "the daemon's listener, IPv6 UDP to its link-local address",
      attempt: "udp(gwll, 5053)",
      ...host,
    },
    {
      name: "any unix socket, the daemon's and the engine's among them",
      attempt: "if unix_sockets(): reply()",
      seen: ["reply"],
      closedAnyway: "none is in a container's file system or network namespace",
    },
  ],
};

const places = [
  ["the host's address", "host"],
  ["its own gateway", "gw"],
  ["that network's gateway", "plaingw"],
  ["the default bridge's gateway", "defaultgw"],
] as const;

export const toContainers: Section = {
  title: "To other containers",
  rows: [
    ...(
      [
        ["on an open network", "plain", "vplain"],
        ["on another guarded network", "other", "vother"],
        ["on the default bridge", "default", "vdefault"],
        ["on an open network, by IPv6", "plain", "vplain6"],
        ["on another guarded network, by IPv6", "other", "vother6"],
      ] as const
    ).flatMap(([name, observer, address]): Row[] => [
      { name: `a container ${name}, TCP`, attempt: `tcp(${address}, 8000)`, seen: [observer] },
      { name: `a container ${name}, UDP`, attempt: `udp(${address}, 8001)`, seen: [observer] },
      { name: `a container ${name}, ICMP echo`, attempt: `ping(${address})`, seen: [observer] },
    ]),
    ...places.flatMap(([name, address]): Row[] => [
      {
        name: `a port that an open container publishes, by ${name}, TCP`,
        attempt: `tcp(${address}, 8090)`,
        seen: ["plain", "host"],
      },
      {
        name: `a port that an open container publishes, by ${name}, UDP`,
        attempt: `udp(${address}, 8091)`,
        seen: ["plain", "host"],
      },
    ]),
    {
      name: "a port that a container of another guarded network publishes, TCP",
      attempt: "tcp(host, 8094)",
      seen: ["other", "host"],
    },
    {
      name: "a published port, by the host's IPv6 address, TCP",
      attempt: "tcp(host6, 8090)",
      seen: ["plain", "host"],
    },
    {
      name: "a published port, by its own gateway's IPv6 address, TCP",
      attempt: "tcp(gw6, 8090)",
      seen: ["plain", "host"],
    },
    {
      name: "a port that a container of another guarded network publishes, by the host's IPv6 address, TCP",
      attempt: "tcp(host6, 8094)",
      seen: ["other", "host"],
    },
    // Docker translates nothing that comes from the publisher's own network: the userland proxy accepts on the host.
    ...(
      [
        ["the host's address", "host"],
        ["its own gateway", "gw"],
        ["the host's IPv6 address", "host6"],
        ["its own gateway's IPv6 address", "gw6"],
      ] as const
    ).flatMap(([name, address]): Row[] => [
      {
        name: `a port that a neighbour publishes, by ${name}, TCP: as far as docker-proxy`,
        attempt: `tcp(${address}, 8092)`,
        seen: ["host"],
      },
      {
        name: `the same, by ${name}: through docker-proxy`,
        attempt: `tcp(${address}, 8092)`,
        seen: ["published"],
      },
    ]),
  ],
};

export const spoofed: Section = {
  title: "Under another address",
  rows: [
    { name: "a free address of its subnet", attempt: "frame4(unused, to)", seen: ["wire"] },
    { name: "an address of nobody here", attempt: "frame4('192.0.2.250', to)", seen: ["wire"] },
    { name: "a neighbour's address", attempt: "frame4(neighbour, to)", seen: ["wire"] },
    {
      name: "a neighbour's address and MAC",
      attempt: "frame4(taken, to, src_mac=takenmac)",
      seen: ["wire"],
    },
    { name: "the address of an open container", attempt: "frame4(vplain, to)", seen: ["wire"] },
    {
      name: "the address of a container on another guarded network",
      attempt: "frame4(vother, to)",
      seen: ["wire"],
    },
    {
      name: "the gateway's address",
      attempt: "frame4(gw, to)",
      seen: ["wire"],
      closedAnyway: "the kernel takes its own address from no wire",
    },
    {
      name: "0.0.0.0",
      attempt: "frame4('0.0.0.0', to)",
      seen: ["wire"],
      closedAnyway: "the kernel routes nothing from 0.0.0.0",
    },
    {
      name: "a free IPv6 address of its subnet",
      attempt: "frame6(unused6, to6)",
      seen: ["wire"],
    },
    { name: "an IPv6 address of nobody here", attempt: "frame6('2001:db8:dead::1', to6)", seen: ["wire"] },
    {
      name: "a neighbour's IPv6 address and MAC",
      attempt: "frame6(taken6, to6, src_mac=takenmac)",
      seen: ["wire"],
    },
  ],
};

export const fromOutside: Section = {
  title: "From outside, to a container that publishes nothing there",
  rows: [
    {
      name: "its own IPv4 address, UDP",
      from: "internet",
      attempt: "ip route replace $guarded via $host; echo $token > /dev/udp/$neighbour/8001",
      seen: ["neighbour"],
    },
    {
      name: "its own IPv4 address, TCP",
      from: "internet",
      attempt:
        "ip route replace $guarded via $host; timeout 1 bash -c 'echo $token > /dev/tcp/$neighbour/8000'",
      seen: ["neighbour"],
    },
    {
      name: "its own IPv6 address, UDP",
      from: "internet",
      attempt: "echo $token > /dev/udp/$neighbour6/8001",
      seen: ["neighbour"],
    },
    {
      name: "its own IPv6 address, TCP",
      from: "internet",
      attempt: "timeout 1 bash -c 'echo $token > /dev/tcp/$neighbour6/8000'",
      seen: ["neighbour"],
    },
  ],
};
