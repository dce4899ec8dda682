// From a container that is on a network without a label too, by that network.

import type { Row, Section } from "./table.ts";

const wire = { seen: ["wire"] } as const;
const host = { seen: ["host"] } as const;
const open = { guarded: "open" } as const;

/** The device on the open network; frames go by it to its gateway. */
const there = "dst=plaingwmac, device=device_in(plaingw)";
const by = (attempt: string): string =>
  attempt.replaceAll("THERE", there).replaceAll("DEVICE", "device_in(plaingw)");

const ways: readonly Row[] = [
  { name: "out", attempt: "frame4(own_address(DEVICE), to, THERE)", ...wire },
  { name: "out, IPv6", attempt: "frame6(own6(DEVICE), to6, THERE)", ...wire },
  { name: "out, under a free address there", attempt: "frame4(plainfree, to, THERE)", ...wire },
  { name: "out, IPv6, under a free address there", attempt: "frame6(plainfree6, to6, THERE)", ...wire },
  { name: "out, under a neighbour's address there", attempt: "frame4(vplain, to, THERE)", ...wire },
  { name: "out, IPv6, under a neighbour's address there", attempt: "frame6(vplain6, to6, THERE)", ...wire },
  { name: "out, under its address on the guarded network", attempt: "frame4(own(), to, THERE)", ...wire },
  { name: "out, under an address of nobody here", attempt: "frame4('192.0.2.250', to, THERE)", ...wire },
  ...(
    [
      ["the gateway there", "plaingw"],
      ["the gateway there, IPv6", "plaingw6"],
      ["the gateway's link-local address there", "plaingwll + '%' + DEVICE"],
      ["the host's address on the uplink, IPv6", "host6"],
    ] as const
  ).flatMap(([name, address]): Row[] => [
    { name: `${name}, TCP`, attempt: `tcp(${address}, 8099)`, ...host },
    { name: `${name}, UDP`, attempt: `udp(${address}, 8099)`, ...host },
    { name: `${name}, echo`, attempt: `ping(${address})`, ...host },
  ]),
  {
    name: "a resolver at the gateway's link-local address there",
    attempt: "ask(plaingwll + '%' + DEVICE)",
    ...host,
  },
  {
    name: "a port that an open container publishes, by the gateway's link-local address there",
    attempt: "tcp(plaingwll + '%' + DEVICE, 8090)",
    seen: ["plain", "host"],
  },
  {
    name: "the gateway there, from a link-local source of its own making",
    attempt: "frame6('fe80::dead', plaingw6, THERE); frame6('fe80::dead', plaingwll, THERE)",
    ...host,
  },
  {
    name: "the gateway there, from an IPv4 link-local source",
    attempt: "frame4('169.254.7.7', plaingw, THERE)",
    ...host,
  },
  { name: "all nodes there, echo", attempt: "ping('ff02::1%' + DEVICE)", ...host },
  { name: "mDNS there", attempt: "udp('ff02::fb%' + DEVICE, 5353)", ...host },
  {
    name: "router advertisement there",
    attempt:
      "frame6(link6(DEVICE), 'ff02::1', 58, icmp6(link6(DEVICE), 'ff02::1', 134, bytes(12)), dst='33:33:00:00:00:01', hops=255, device=DEVICE)",
    ...host,
  },
  {
    name: "redirect there",
    attempt:
      "frame6(link6(DEVICE), plaingwll, 58, icmp6(link6(DEVICE), plaingwll, 137, bytes(36)), hops=255, THERE)",
    ...host,
  },
  {
    name: "ARP for the host's address on the uplink",
    attempt: "arp_reply(host, device=DEVICE)",
    seen: ["reply"],
  },
];

/** Tried from `two`, and in quarantine from `jailedtwo`. */
export const secondRows = (from: "two" | "jailedtwo"): readonly Row[] =>
  ways.map((row): Row => ({ ...row, from, attempt: by(row.attempt) }));

/** What two containers on an open network may do, one of them on a guarded one too; not in quarantine. */
export const neighboursThere = (from: "two" | "jailedtwo"): readonly Row[] =>
  (
    [
      ["TCP", "tcp(vplain, 8000)"],
      ["UDP", "udp(vplain, 8001)"],
      ["IPv6 TCP", "tcp(vplain6, 8000)"],
    ] as const
  ).map(
    ([name, attempt]): Row => ({
      name: `a neighbour on the open network, ${name}`,
      from,
      attempt: by(attempt),
      seen: ["plain"],
    }),
  );

export const second: Section = {
  title: "By a second network that is not guarded",
  rows: [
    {
      name: "by the guarded network",
      from: "two",
      attempt: "frame4(own_address(device_in(gw)), to, device=device_in(gw))",
      ...wire,
    },
    {
      name: "by the guarded network, IPv6",
      from: "two",
      attempt: "d = device_in(gw); frame6(own6(d), to6, device=d)",
      ...wire,
    },
    ...secondRows("two"),
  ],
};

export const keptBySecond: readonly Row[] = [
  ...neighboursThere("two").map((row) => ({
    ...row,
    name: `a container with a second network: ${row.name}`,
    ...open,
  })),
  {
    name: "a container with a second network: neighbour solicitation to the gateway there",
    from: "two",
    attempt: by(
      "frame6(link6(DEVICE), plaingwll, 58, icmp6(link6(DEVICE), plaingwll, 135, bytes(4) + packed(plaingwll)), hops=255, THERE)",
    ),
    ...host,
    ...open,
  },
];
