// What Docker 29 writes with `"firewall-backend": "nftables"`, as data: the rules are those that moby/moby prints of its own
// (integration/network/bridge/nftablesdoc/generated at 29.0: new-daemon, usernet-portmap; IPv6 by the
// golden files of its nftabler; the sandbox's by daemon/libnetwork/resolver_unix.go). No such engine is run here. Where they
// print `output priority dstnat` there is -100: nft before 1.1 does not read that back.

import type { Family } from "../../src/core/model/address.ts";

export interface DockerBridge {
  readonly bridge: string;
  readonly subnet: string;
  /** Ports of containers, by the host's. */
  readonly published?: readonly {
    readonly protocol: "tcp" | "udp";
    readonly hostPort: number;
    readonly address: string;
    readonly port: number;
  }[];
}

/** The table of one family. To be put in by `nft -f`; an engine that starts deletes the one before in the same step. */
export function dockerTable(family: Family, bridges: readonly DockerBridge[]): string {
  const ip = family === 4 ? "ip" : "ip6";
  const table = `${ip} docker-bridges`;
  const map = (name: string, chain: string): string =>
    `map ${name} {
    type ifname : verdict
    elements = { ${bridges.map(({ bridge }) => `"${bridge}" : jump ${chain}__${bridge}`).join(", ")} }
  }`;
  const isLocal = "fib daddr type local counter jump nat-prerouting-and-output";
  const notLoopback = family === 4 ? "ip daddr != 127.0.0.0/8" : "ip6 daddr != ::1";
  return `table ${table} {
}
delete table ${table}
table ${table} {
  ${map("filter-forward-in-jumps", "filter-forward-in")}
  ${map("filter-forward-out-jumps", "filter-forward-out")}
  ${map("nat-postrouting-in-jumps", "nat-postrouting-in")}
  ${map("nat-postrouting-out-jumps", "nat-postrouting-out")}
  chain filter-FORWARD {
    type filter hook forward priority filter; policy accept;
    oifname vmap @filter-forward-in-jumps
    iifname vmap @filter-forward-out-jumps
  }
  chain nat-OUTPUT {
    type nat hook output priority -100; policy accept;
    ${notLoopback} ${isLocal}
  }
  chain nat-POSTROUTING {
    type nat hook postrouting priority srcnat; policy accept;
    iifname vmap @nat-postrouting-out-jumps
    oifname vmap @nat-postrouting-in-jumps
  }
  chain nat-PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    ${isLocal}
  }
  chain nat-prerouting-and-output {
    ${bridges.flatMap((each) => translations(family, each)).join("\n    ")}
  }
  chain raw-PREROUTING {
    type filter hook prerouting priority raw; policy accept;
    ${bridges.flatMap((each) => directAccess(ip, each)).join("\n    ")}
  }
  ${bridges.map((each) => chainsOf(ip, each)).join("\n  ")}
}
`;
}

function translations(family: Family, { bridge, published = [] }: DockerBridge): string[] {
  return published.map(({ protocol, hostPort, address, port }) =>
    family === 4
      ? `iifname != "${bridge}" ${protocol} dport ${hostPort} counter dnat to ${address}:${port} comment "DNAT"`
      : `iifname != "${bridge}" ip6 saddr != fe80::/10 ${protocol} dport ${hostPort} counter dnat to [${address}]:${port} comment "DNAT"`,
  );
}

function directAccess(ip: string, { bridge, published = [] }: DockerBridge): string[] {
  const addresses = [...new Set(published.map(({ address }) => address))];
  return addresses.map(
    (address) => `${ip} daddr ${address} iifname != "${bridge}" counter drop comment "DROP DIRECT ACCESS"`,
  );
}

function chainsOf(ip: string, { bridge, subnet, published = [] }: DockerBridge): string {
  const known = "ct state established,related counter accept";
  const open = published.map(
    ({ protocol, address, port }) => `${ip} daddr ${address} ${protocol} dport ${port} counter accept`,
  );
  const into = [
    `iifname "${bridge}" counter accept comment "ICC"`,
    ...open,
    'counter drop comment "UNPUBLISHED PORT DROP"',
  ];
  return `chain filter-forward-in__${bridge} {
    ${[known, ...into].join("\n    ")}
  }
  chain filter-forward-out__${bridge} {
    ${known}
    counter accept comment "OUTGOING"
  }
  chain nat-postrouting-in__${bridge} {
  }
  chain nat-postrouting-out__${bridge} {
    oifname != "${bridge}" ${ip} saddr ${subnet} counter masquerade comment "MASQUERADE"
  }`;
}

/** The table in a container's sandbox, before its resolver at 127.0.0.11. */
export function dockerDnsTable({
  udpPort,
  tcpPort,
}: {
  readonly udpPort: number;
  readonly tcpPort: number;
}): string {
  return `table ip docker-dns {
  chain dns-dnat {
    type nat hook output priority -100; policy accept;
    ip daddr 127.0.0.11 udp dport 53 counter dnat to 127.0.0.11:${udpPort}
    ip daddr 127.0.0.11 tcp dport 53 counter dnat to 127.0.0.11:${tcpPort}
  }
  chain dns-snat {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 127.0.0.11 udp sport ${udpPort} counter snat to :53
    ip saddr 127.0.0.11 tcp sport ${tcpPort} counter snat to :53
  }
}
`;
}
