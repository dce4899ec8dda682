// How many of our rules a packet walks, on a host in small: interfaces named like bridges, and real packets through
// them. iptables counts only what matched, so the walk is put together from that: who enters a chain walks its rules
// until one that ends the chain matches.

import { setNames } from "../src/core/firewall/names.ts";
import { createNamespace, run } from "../test/support/namespace.ts";

const packets = 100;
const host = "198.51.100.1";
/** Nobody has it: what is sent there is answered by nothing that would be counted too. */
const far = "198.51.100.77";

const each = (work: string): string => `for n in {1..${packets}}; do ${work}; done 2>/dev/null; true`;

/** Who sends a packet a hundred times, and by what Bash. */
const kinds = [
  { what: "guarded, denied", from: "guarded", script: each(`echo > /dev/udp/${far}/9000`) },
  { what: "guarded, first of a granted flow", from: "guarded", script: each(`echo > /dev/udp/${far}/9001`) },
  {
    what: "guarded, in a granted flow",
    from: "guarded",
    script: `exec 3<>/dev/udp/${far}/9001; ${each("echo >&3")}`,
  },
  { what: "not guarded", from: "open", script: each(`echo > /dev/udp/${far}/9000`) },
  { what: "from the uplink to the host", from: "uplink", script: each(`echo > /dev/udp/${host}/9000`) },
] as const;

type Place = (typeof kinds)[number]["from"];

/** An interface of the host, and the only thing behind it. */
export interface Plug {
  readonly device: string;
  readonly host: string;
  readonly own: string;
}

/**
 * Plugs a container into the bridge of a guarded network and of an open one, and an internet into the uplink.
 * @returns what tells the rules that a packet of each kind walks, as the host is when it is called
 */
export function buildHost(plugs: Readonly<Record<Place, Plug>>): () => [what: string, rules: number][] {
  run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  const senders = new Map(Object.entries(plugs).map(([name, plug]) => [name, plugIn(name, plug)]));
  const { device } = plugs.uplink;
  // What a condition of ours keeps out of a chain of ours is counted behind it.
  for (const [table, hook] of conditionalHooks)
    run("iptables-nft", "-t", table, "-A", hook, "-m", "comment", "--comment", "passed");
  run("ip", "neigh", "add", far, "lladdr", "02:00:00:00:00:77", "dev", device);
  return () => {
    const granted = `${far},udp:9001,${plugs.guarded.own}`;
    run("ipset", "add", "-exist", setNames.grant4, granted, "timeout", "60");
    return kinds.map(({ what, from, script }) => {
      const before = walked();
      senders.get(from)?.run("bash", "-c", script);
      return [what, (walked() - before) / packets];
    });
  };
}

function plugIn(name: string, { device, host: gateway, own }: Plug): ReturnType<typeof createNamespace> {
  const namespace = createNamespace(name);
  run("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", name);
  run("ip", "address", "add", `${gateway}/24`, "dev", device);
  run("ip", "link", "set", device, "up");
  namespace.run("ip", "address", "add", `${own}/24`, "dev", "eth0");
  namespace.run("ip", "link", "set", "eth0", "up");
  namespace.run("ip", "route", "add", "default", "via", gateway);
  return namespace;
}

/** Built-in chains in which a jump of ours has a condition. */
const conditionalHooks = [
  ["mangle", "POSTROUTING"],
  ["filter", "FORWARD"],
  ["filter", "OUTPUT"],
] as const;

const ending = /-g | -j (RETURN|DROP|ACCEPT|REDIRECT|NFQUEUE)/;

/** Rules of ours that all packets so far have walked, in every table. */
function walked(): number {
  return run("iptables-nft-save", "-c")
    .split("*")
    .map(walkedIn)
    .reduce((sum, count) => sum + count, 0);
}

function walkedIn(table: string): number {
  const rules = [...table.matchAll(/^\[(\d+):\d+\] -A (\S+) (.*)$/gm)].map(
    ([, count, chain = "", body = ""]) => ({
      count: Number(count),
      chain,
      target: / -[jg] (\S+)/.exec(` ${body}`)?.[1] ?? "",
      conditional: / -m /.test(` ${body}`),
      ends: ending.test(` ${body}`),
    }),
  );
  let sum = 0;
  for (const [chain, each] of Map.groupBy(rules, (rule) => rule.chain)) {
    const passed = each.find(({ target }) => target === "")?.count ?? 0;
    const own = each.filter(({ target }) => target !== "");
    const built = /^[A-Z]+$/.test(chain);
    let inside = rules.filter(({ target }) => target === chain).reduce((all, { count }) => all + count, 0);
    for (const { count, ends, conditional } of own) {
      sum += built ? count + (conditional ? passed : 0) : inside;
      if (ends) inside -= count;
    }
  }
  return sum;
}
