// The servers that ours is measured beside, each as its own manual would have it for this: one thread, a cache large
// enough, the same upstream.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../test/support/namespace.ts";
import { openGateway } from "./host.ts";
import { folder, start } from "./programs.ts";

export interface Peer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

/** Settings in a file, as some take no others. */
function settingsFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

interface Command {
  readonly name: string;
  /** As it is started, with the port that it listens on and its upstream's. */
  readonly line: (port: number, upstream: number) => readonly string[];
}

/**
 * dnsmasq makes its table of ports from the limit of descriptors, and looks through all of it each time; and each new
 * name has it look through its whole cache. So it has a limit, and two of it run, each with the kinder size.
 */
export function dnsmasq(at: {
  readonly address: string;
  readonly port: number;
  readonly upstream: number;
  readonly cacheSize: number;
}): readonly string[] {
  const bare = ["-k", "-C", "/dev/null", "--no-hosts", "--no-resolv", "--user=root", "--pid-file"];
  const where = ["--listen-address=127.0.0.1", `--listen-address=${at.address}`, "--bind-interfaces"];
  const limits = [`--cache-size=${at.cacheSize}`, "--dns-forward-max=1000"];
  const names = ["--ipset=/bench.example/own.example/bench", "--address=/denied.example/"];
  const places = [`--port=${at.port}`, `--server=127.0.0.1#${at.upstream}`];
  return ["prlimit", "--nofile=1024", "dnsmasq", ...bare, ...where, ...places, ...limits, ...names];
}

/** All settings are arguments, as its file has another form in newer versions. Its packet cache answers what it can. */
function pdnsRecursor(port: number, upstream: number): readonly string[] {
  const zone = settingsFile("denied.zone", "denied.example. 300 IN SOA a.example. b.example. 1 2 3 4 300\n");
  const bare = [`--config-dir=${folder}`, `--socket-dir=${folder}`, "--daemon=no", "--write-pid=no"];
  const silent = ["--quiet=yes", "--loglevel=3", "--disable-syslog=yes", "--security-poll-suffix="];
  const where = [`--local-address=${openGateway}`, `--local-port=${port}`, "--allow-from=0.0.0.0/0"];
  const work = ["--threads=1", "--pdns-distributes-queries=no", "--dnssec=off", "--hint-file=no"];
  const caches = ["--max-cache-entries=1000000", "--max-packetcache-entries=500000"];
  const names = [`--forward-zones-recurse=.=127.0.0.1:${upstream}`, `--auth-zones=denied.example=${zone}`];
  return ["pdns_recursor", ...bare, ...silent, ...where, ...work, ...caches, ...names];
}

const commands: readonly Command[] = [
  {
    name: "dnsmasq, ipset, large cache",
    line: (port, upstream) => dnsmasq({ address: openGateway, port, upstream, cacheSize: 25_000 }),
  },
  {
    name: "dnsmasq, ipset, small cache",
    line: (port, upstream) => dnsmasq({ address: openGateway, port, upstream, cacheSize: 150 }),
  },
  {
    name: "unbound",
    line: (port, upstream) => [
      "unbound",
      "-d",
      "-c",
      settingsFile(
        "unbound.conf",
        `server:
  num-threads: 1
  interface: ${openGateway}
  port: ${port}
  access-control: 0.0.0.0/0 allow
  do-not-query-localhost: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  verbosity: 0
  local-zone: "denied.example" always_nxdomain
  msg-cache-size: 64m
  rrset-cache-size: 128m
  outgoing-range: 4096
  num-queries-per-thread: 2048
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${upstream}
`,
      ),
    ],
  },
  {
    name: "smartdns, ipset",
    line: (port, upstream) => [
      "smartdns",
      "-f",
      "-p",
      "-",
      "-c",
      settingsFile(
        "smartdns.conf",
        `bind ${openGateway}:${port}
server 127.0.0.1:${upstream}
cache-size 25000
speed-check-mode none
dualstack-ip-selection no
prefetch-domain no
serve-expired no
ipset /bench.example/bench
ipset /own.example/bench
address /denied.example/#
log-level error
`,
      ),
    ],
  },
  {
    name: "dnsdist",
    line: (port, upstream) => [
      "dnsdist",
      "--supervised",
      "-C",
      settingsFile(
        "dnsdist.conf",
        `setLocal("${openGateway}:${port}")
setACL("0.0.0.0/0")
newServer({address="127.0.0.1:${upstream}", healthCheckInterval=3600})
getPool(""):setCache(newPacketCache(100000, {maxTTL=86400}))
setSecurityPollSuffix("")
addAction("denied.example", RCodeAction(DNSRCode.NXDOMAIN))
`,
      ),
    ],
  },
  { name: "pdns-recursor", line: pdnsRecursor },
];

/** The set that they fill. */
export const peersSet = ["bench", "hash:ip", "maxelem", "2000000", "timeout", "600"] as const;

/** Starts all of them on the gateway of the open network, on the first processor. */
export function startPeers(firstPort: number, upstream: number): readonly Peer[] {
  run("ipset", "create", ...peersSet);
  return commands.map(({ name, line }, index) => {
    const port = firstPort + index;
    return { name, port, pid: start("taskset", "-c", "0", ...line(port, upstream)) };
  });
}
