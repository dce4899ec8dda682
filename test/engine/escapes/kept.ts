// What must go on to work, and what is left open and said so.

import { keptEncapsulated } from "./encapsulated.ts";
import { ownErrors } from "./errors.ts";
import { takesFrames } from "./link.ts";
import { keptRebound } from "./rebinding.ts";
import { keptBySecond } from "./second.ts";
import { keptAddresses } from "./started.ts";
import { errorsOfRouters } from "./states.ts";
import type { Row, Section } from "./table.ts";

const open = { guarded: "open" } as const;

const neighbourly = (name: string, attempt: string): Row => ({ name, attempt, seen: ["neighbour"], ...open });
const granted = (name: string, attempt: string): Row => ({ name, attempt, seen: ["wire"], ...open });

const replied = (name: string, from: "internet" | "host", attempt: string): Row => ({
  name,
  from,
  attempt,
  seen: ["reply"],
  ...open,
});

export const kept: Section = {
  title: "What goes on to work",
  rows: [
    neighbourly("a neighbour, TCP", "tcp(neighbour, 8000)"),
    neighbourly("a neighbour, UDP", "udp(neighbour, 8001)"),
    neighbourly("a neighbour, ICMP echo", "ping(neighbour)"),
    neighbourly("a neighbour, UDP port 53", "udp(neighbour, 53)"),
    neighbourly("a neighbour, by name", "tcp(socket.gethostbyname('neighbour'), 8000)"),
    neighbourly("a neighbour, IPv6 TCP", "tcp(neighbour6, 8000)"),
    neighbourly("a neighbour, IPv6 UDP", "udp(neighbour6, 8001)"),
    neighbourly("a neighbour, ICMPv6 echo", "ping(neighbour6)"),
    neighbourly("a neighbour, link-local UDP", "udp(neighbourll, 8001)"),
    granted("an allowed name, TCP", "lookup('www.example.com'); tcp('203.0.113.11', 443)"),
    granted("an allowed name, UDP", "lookup('www.example.com'); udp('203.0.113.11', 9000)"),
    granted("an allowed name, ICMP echo", "lookup('www.example.com'); ping('203.0.113.11')"),
    granted("an allowed name, IPv6 TCP", "lookup('www.example.com'); tcp('2001:db8:1::11', 443)"),
    granted("an allowed name, IPv6 UDP", "lookup('www.example.com'); udp('2001:db8:1::11', 9000)"),
    granted("an allowed name and port", "lookup('api.example.com'); tcp('203.0.113.12', 443)"),
    granted("an allowed address and port", "tcp('198.51.100.21', 80)"),
    granted("an allowed name and port, IPv6", "lookup('v6only.example.com'); tcp('2001:db8:1::13', 443)"),
    granted("an allowed IPv6 address and port", "tcp('2001:db8:1::1a', 80)"),
    granted(
      "an allowed address and port, by a frame of its own making",
      "frame4(own(), '198.51.100.21', 6, tcp_segment(own(), '198.51.100.21', 2))",
    ),
    granted(
      "an allowed name, by an IPv6 frame of its own making",
      "lookup('www.example.com'); frame6(own6(), '2001:db8:1::11', 6, tcp_segment(own6(), '2001:db8:1::11', 2))",
    ),
    {
      ...granted(
        "an allowed address and port, by a frame from a network without IPv6",
        "frame4(own(), '198.51.100.21', 6, tcp_segment(own(), '198.51.100.21', 2))",
      ),
      from: "four",
    },
    { name: "the host, by an entry for host:8097/tcp", attempt: "tcp(gw, 8097)", seen: ["host"], ...open },
    {
      name: "neighbour solicitation to the gateway (hop limit 255)",
      attempt: "frame6(link6(), gwll, 58, icmp6(link6(), gwll, 135, bytes(4) + packed(gwll)), hops=255)",
      seen: ["host"],
      ...open,
    },
    keptRebound,
    ...ownErrors,
    ...errorsOfRouters,
    ...keptEncapsulated,
    ...keptBySecond,
    ...keptAddresses,
    replied("a published port, from the internet", "internet", "request $host 8092"),
    replied("a published port, from the internet, IPv6", "internet", "request $host6 8092"),
    replied("a published port, from the host itself", "host", "request $host 8092"),
    replied("a container's own address, from the host", "host", "request $published 8000"),
    replied("a container's own IPv6 address, from the host", "host", "request $published6 8000"),
    replied(
      "a health check that asks a neighbour by name",
      "host",
      "for n in 1 2 3 4 5 6 7 8; do [ $(docker inspect -f '{{.State.Health.Status}}' published) = healthy ] && echo 200 && break; sleep 0.5; done",
    ),
    ...(
      [
        ["TCP", "tcp(to, 443)", "wire"],
        ["UDP", "udp(to, 9000)", "wire"],
        ["ICMP echo", "ping(to)", "wire"],
        ["DNS of Docker's resolver", "ask('127.0.0.11')", "lookups"],
        ["DNS of another server", "ask('203.0.113.66')", "lookups"],
        ["the host", "udp(gw, 8099)", "host"],
        ["IPv6 UDP", "udp(to6, 9000)", "wire"],
      ] as const
    ).map(
      ([name, attempt, seen]): Row => ({
        name: `a container on an open network: ${name}`,
        from: "free",
        attempt,
        seen: [seen],
        ...open,
      }),
    ),
  ],
};

export const stated: Section = {
  title: "What is not closed",
  rows: [
    { ...takesFrames, ...open },
    {
      name: "a question for a name below an allowed wildcard",
      attempt: "ask('127.0.0.11', name=token.decode() + '.tunnel.example.net')",
      seen: ["lookups"],
      ...open,
    },
  ],
};
