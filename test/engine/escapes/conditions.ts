// What is tried again under other conditions: on a host whose bridges show iptables nothing, and beside a daemon that
// hangs, is dead, or is just starting.

import { setNames } from "../../../src/core/firewall/names.ts";
import { enforcing, run } from "../../support/dockerwall.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import { errors } from "./errors.ts";
import { fromOutside, spoofed, toContainers, toHost } from "./inward.ts";
import { hostByIpv6, outByIpv6 } from "./ipv6.ts";
import { kept } from "./kept.ts";
import { link, unfilteredLink } from "./link.ts";
import { grants, resolvers, straightOut } from "./outward.ts";
import { quarantined } from "./quarantined.ts";
import { second } from "./second.ts";
import { started } from "./started.ts";
import type { Claim, Row, Section } from "./table.ts";

/** A row that is tried under a condition; what is expected may differ. */
export interface Case extends Claim {
  readonly row: Row;
}

export type ConditionName = "unfiltered" | "hung" | "dead" | "starting";

export interface Condition extends Section<Case> {
  readonly condition: ConditionName;
  /** Brings it about; returns what ends it. What returns in between is the moment to try. */
  readonly enter: (engine: Engine) => Promise<() => Promise<void>>;
  /** Tried without Dockerwall under this condition; other conditions are none then. */
  readonly ownControl: boolean;
  /** How often each attempt is made, where the condition passes. */
  readonly times?: number;
}

/** What is expected else than of the row itself, by its name. */
type Differing = Readonly<Record<string, Omit<Claim, "name">>>;

function cases(
  section: Section,
  names: readonly string[] | "all",
  differing: Differing = {},
): readonly Case[] {
  const rows = names === "all" ? section.rows : names.map((name) => rowOf(section, name));
  return rows.map((row) => ({
    ...(differing[row.name] ?? claimOf(row)),
    row,
    name: `${section.title}: ${row.name}`,
  }));
}

function claimOf({ guarded, closedAnyway }: Row): Omit<Claim, "name"> {
  return {
    ...(guarded === undefined ? {} : { guarded }),
    ...(closedAnyway === undefined ? {} : { closedAnyway }),
  };
}

function rowOf(section: Section, name: string): Row {
  const row = section.rows.find((candidate) => candidate.name === name);
  if (row === undefined) throw new Error(`escapes: "${section.title}" has no row "${name}"`);
  return row;
}

const quarantinedAway = [
  "to the internet, UDP",
  "to the internet, IPv6 UDP",
  "to an allowed address",
  "to the host, UDP",
  "to the host, link-local UDP",
  "to a neighbour, UDP",
  "to a neighbour, in a priority tag",
  "ARP: who has a neighbour's address",
  "from a neighbour, UDP",
  "from the host, UDP",
  "on an open network too: out",
];

const errorsAway = [
  "about a neighbour's flow, UDP",
  "about a neighbour's flow, IPv6, UDP",
  "about the host's flow, UDP",
  "to the host, about its own flow, UDP",
];

/** Away or not, nothing new opens; what a daemon has to be there for is not among these. */
const away = (differing: Differing = {}): readonly Case[] => [
  ...cases(straightOut, ["TCP, port 443", "UDP, port 9000", "ICMP echo", "IP protocol 99"]),
  ...cases(outByIpv6, ["TCP, port 443", "UDP, port 9000"]),
  ...cases(
    resolvers,
    [
      "another server, port 53",
      "a denied name, of Docker's resolver",
      "a denied name, of Docker's resolver at its real ports",
      "NET_ADMIN: deletes our table in its sandbox, asks Docker's resolver",
    ],
    differing,
  ),
  ...cases(spoofed, ["a free address of its subnet", "a neighbour's address and MAC"]),
  ...cases(grants, ["a name that a neighbour was granted", "the same, under the neighbour's address"]),
  ...cases(toHost, [
    "the network's gateway, UDP",
    "the daemon's listener, UDP",
    "any unix socket, the daemon's and the engine's among them",
  ]),
  ...cases(toContainers, [
    "a container on an open network, TCP",
    "a port that an open container publishes, by its own gateway, TCP",
  ]),
  ...cases(fromOutside, ["its own IPv4 address, UDP", "its own IPv6 address, TCP"]),
  ...cases(errors, errorsAway),
  ...cases(second, ["out", "out, under a free address there", "the gateway's link-local address there, UDP"]),
  ...cases(link, ["ARP: who has the host's address on the uplink", "router advertisement to a neighbour"]),
  ...cases(quarantined, quarantinedAway),
  ...cases(started, "all", differing),
  ...cases(kept, [
    "a neighbour, TCP",
    "a neighbour, IPv6 UDP",
    "a published port, from the internet",
    "a container's own address, from the host",
    "a container on an open network: TCP",
    "a container on an open network: DNS of Docker's resolver",
  ]),
];

const bridgeFilter = async (engine: Engine, value: "0" | "1"): Promise<string> => {
  const files = "/proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables";
  const { stdout } = await engine.exec("sh", "-c", `for f in ${files}; do cat $f; echo ${value} > $f; done`);
  return stdout;
};

const unfiltered: Condition = {
  title: "With br_netfilter off",
  condition: "unfiltered",
  ownControl: true,
  enter: async (engine) => {
    await bridgeFilter(engine, "0");
    return async () => {
      // An engine may turn it on with a container that it starts.
      const found = await bridgeFilter(engine, "1");
      if (found !== "0\n0") throw new Error(`escapes: br_netfilter was on again: ${found}`);
    };
  },
  rows: [
    ...cases(straightOut, ["TCP, port 443", "UDP, port 9000", "ICMP echo", "IP protocol 99"]),
    ...cases(outByIpv6, ["TCP, port 443", "UDP, port 9000"]),
    ...cases(resolvers, ["another server, port 53", "a denied name, of Docker's resolver"]),
    ...cases(spoofed, "all"),
    ...cases(grants, [
      "the same, under the neighbour's address",
      "the same, under the neighbour's IPv6 address",
    ]),
    ...cases(toHost, [
      "the network's gateway, UDP",
      "the network's gateway, under a neighbour's address",
      "mDNS",
    ]),
    ...cases(toContainers, [
      "a container on an open network, TCP",
      "a container on another guarded network, by IPv6, UDP",
      "a port that a neighbour publishes, by its own gateway, TCP: as far as docker-proxy",
    ]),
    ...cases(hostByIpv6, [
      "the gateway's link-local address, UDP",
      "router advertisement",
      "router advertisement, as its neighbours see it",
      "redirect",
    ]),
    ...cases(errors, errorsAway),
    ...cases(second, [
      "out",
      "out, IPv6",
      "out, under a free address there",
      "the gateway's link-local address there, TCP",
      "the gateway's link-local address there, UDP",
    ]),
    ...cases(link, "all"),
    ...cases(unfilteredLink, "all"),
    ...cases(quarantined, "all"),
    ...cases(kept, [
      "a neighbour, TCP",
      "a neighbour, UDP",
      "a neighbour, ICMP echo",
      "a neighbour, IPv6 TCP",
      "a neighbour, link-local UDP",
      "an allowed name, TCP",
      "an allowed address and port",
      "a published port, from the internet",
      "a container's own address, from the host",
    ]),
  ],
};

/** An engine of this generation asks from the host's namespace, and nobody is there to know for whom. */
const onlyByHost = { e20: "closed", e26: "closed", e28: "open" } as const;

async function signal(engine: Engine, name: "STOP" | "CONT"): Promise<void> {
  const shown = await run(engine, "top", "dockerwall", "-eo", "pid");
  const pids = shown
    .split("\n")
    .slice(1)
    .map((line) => line.trim());
  await engine.exec("kill", `-${name}`, ...pids);
}

const hung: Condition = {
  title: "While the daemon hangs",
  condition: "hung",
  ownControl: false,
  enter: async (engine) => {
    await signal(engine, "STOP");
    // For half a minute the engine's own questions wait for it, as they do on a busy host; then they pass it by.
    await until(`${engine.name}: the daemon to be given up`, 60_000, async () => {
      const { stdout } = await engine.exec("ipset", "list", setNames.awake4);
      return / timeout /.test(stdout.split("Members:")[1] ?? "") ? undefined : true;
    });
    return async () => {
      await signal(engine, "CONT");
      await enforcing(engine);
    };
  },
  rows: away({ "a denied name, of Docker's resolver, just started": { guarded: onlyByHost } }),
};

const dead: Condition = {
  title: "While the daemon is dead",
  condition: "dead",
  ownControl: false,
  enter: async (engine) => {
    await run(engine, "kill", "-s", "KILL", "dockerwall");
    return async () => undefined;
  },
  rows: away({
    "a denied name, of Docker's resolver, just started": { guarded: onlyByHost },
    "NET_ADMIN: deletes our table in its sandbox, asks Docker's resolver": { guarded: onlyByHost },
  }),
};

/** Follows `dead`. */
const starting: Condition = {
  title: "While the daemon starts",
  condition: "starting",
  ownControl: false,
  times: 3,
  enter: async (engine) => {
    const begun = run(engine, "start", "dockerwall");
    return async () => {
      await begun;
      await enforcing(engine);
    };
  },
  rows: away(),
};

/** In the order in which they are brought about. */
export const conditions: readonly Condition[] = [unfiltered, hung, dead, starting];
