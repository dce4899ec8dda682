// Containers that have just started, and addresses that nobody gave them.

import { reservedFrames } from "./link.ts";
import type { Row, Section } from "./table.ts";

const wire = { seen: ["wire"] } as const;
const open = { guarded: "open" } as const;

/** Granted to one that is gone, by a label of its own; see stage.ts. */
export const gone = {
  label: "203.0.113.92 [2001:db8:2::1f]",
  v4: "203.0.113.92",
  v6: "2001:db8:2::1f",
} as const;

export const started: Section = {
  title: "From a container that has just started",
  rows: [
    { name: "TCP", from: "fresh", attempt: "tcp(to, 443)", ...wire },
    { name: "UDP", from: "fresh", attempt: "udp(to, 9000)", ...wire },
    { name: "ICMP echo", from: "fresh", attempt: "ping(to)", ...wire },
    { name: "IPv6 UDP", from: "fresh", attempt: "udp(to6, 9000)", ...wire },
    { name: "DNS to another server", from: "fresh", attempt: "ask(to)", ...wire },
    { name: "the host, UDP", from: "fresh", attempt: "udp(gw, 8099)", seen: ["host"] },
    {
      name: "a container on an open network, UDP",
      from: "fresh",
      attempt: "udp(vplain, 8001)",
      seen: ["plain"],
    },
    {
      name: "a denied name, of Docker's resolver, just started",
      from: "fresh",
      attempt: "ask('127.0.0.11')",
      seen: ["lookups"],
    },
    ...reservedFrames().map((row): Row => ({ ...row, from: "fresh" })),
    ...(
      [
        ["TCP", `tcp('${gone.v4}', 9000)`],
        ["UDP", `udp('${gone.v4}', 9000)`],
        ["another port", `udp('${gone.v4}', 9001)`],
        ["ICMP echo", `ping('${gone.v4}')`],
        ["IPv6 TCP", `tcp('${gone.v6}', 9000)`],
        ["IPv6 UDP", `udp('${gone.v6}', 9000)`],
      ] as const
    ).map(
      ([name, attempt]): Row => ({
        name: `at the address of one that is gone, what that one was granted, ${name}`,
        from: "heir",
        attempt,
        ...wire,
      }),
    ),
  ],
};

export const takesAddresses: Section = {
  title: "With addresses of its own making, by NET_ADMIN",
  rows: [
    {
      name: "a free address of its subnet",
      from: "floater",
      attempt: "float(afloat('.201')); udp(to, 9000, src=afloat('.201'))",
      ...wire,
    },
    {
      name: "a free address of its subnet, the host",
      from: "floater",
      attempt: "float(afloat('.202')); udp(gw, 8099, src=afloat('.202'))",
      seen: ["host"],
    },
    {
      name: "a free IPv6 address of its subnet",
      from: "floater",
      attempt: "float(unused6); udp(to6, 9000, src=unused6)",
      ...wire,
    },
    {
      name: "a neighbour's address, to an allowed address",
      from: "floater",
      attempt: "float(victim); frame4(victim, granted, 6, tcp_segment(victim, granted, 2))",
      ...wire,
    },
    {
      name: "a neighbour's address, to what that one was granted",
      from: "floater",
      attempt: "float(victim); frame4(victim, '203.0.113.20', 6, tcp_segment(victim, '203.0.113.20', 2))",
      ...wire,
    },
    {
      name: "an address of another guarded network's container",
      from: "floater",
      attempt: "float(vother); frame4(vother, '203.0.113.90')",
      ...wire,
    },
    {
      name: "an address of an open network's container",
      from: "floater",
      attempt: "float(vplain); frame4(vplain, to)",
      ...wire,
    },
    {
      name: "a free address on a macvlan",
      from: "floater",
      attempt:
        "a = afloat('.203')\nsh(f'ip link add mv0 link eth0 type macvlan mode bridge; ip address add {a}/24 dev mv0; ip link set mv0 up')\ntime.sleep(1); frame4(a, to, device='mv0')",
      ...wire,
    },
    {
      name: "a name of a guarded network, under an address of that on an open container",
      from: "inner",
      attempt: "if lookup('neighbour'): reply()",
      seen: ["reply"],
      closedAnyway: "Docker's resolver knows the names of a container's own networks",
    },
  ],
};

export const keptAddresses: readonly Row[] = [
  {
    name: "a free address of its own making (NET_ADMIN), to a neighbour",
    from: "floater",
    attempt: "float(afloat('.204')); udp(neighbour, 8001, src=afloat('.204'))",
    seen: ["neighbour"],
    ...open,
  },
  {
    name: "a free address of its own making (NET_ADMIN), to an allowed address",
    from: "floater",
    attempt: "float(afloat('.205')); tcp('198.51.100.21', 80, src=afloat('.205'))",
    ...wire,
    ...open,
  },
  ...(
    [
      ["TCP", "tcp(to, 443)", "wire"],
      ["IPv6 UDP", "udp(to6, 9000)", "wire"],
      ["DNS of Docker's resolver", "ask('127.0.0.11')", "lookups"],
      ["the host", "udp(gw, 8099)", "host"],
    ] as const
  ).map(
    ([name, attempt, seen]): Row => ({
      name: `an open container with an address of a guarded subnet on a bridge of its own: ${name}`,
      from: "inner",
      attempt,
      seen: [seen],
      ...open,
    }),
  ),
  {
    name: "a container that has just started: a neighbour, TCP",
    from: "fresh",
    attempt: "tcp(neighbour, 8000)",
    seen: ["neighbour"],
    ...open,
  },
  {
    name: "a container that has just started: an allowed address",
    from: "fresh",
    attempt: "tcp('198.51.100.21', 80)",
    ...wire,
    ...open,
  },
];
