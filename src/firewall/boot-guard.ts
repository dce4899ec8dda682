// What holds container networks between boot and the daemon: four rules, put in before Docker starts. They stand
// in chains of ours, so the daemon's first restore replaces them in one transaction, without a moment in between.

import { chainNames } from "./names.ts";

/** Rules that drop whatever comes from a bridge that Docker made; for `iptables-restore --noflush`, either family. */
function holdRules(): string {
  // One word: systemd and the shell both have their own idea of quotes.
  const held = "-i br-+ -m comment --comment held-since-boot -j DROP";
  return [
    "*mangle",
    `:${chainNames.forward} - [0:0]`,
    `:${chainNames.input} - [0:0]`,
    `-A ${chainNames.forward} ${held}`,
    `-A ${chainNames.input} ${held}`,
    `-I FORWARD 1 -j ${chainNames.forward}`,
    `-I INPUT 1 -j ${chainNames.input}`,
    "COMMIT",
  ].join("\\n");
}

/** Whatever loads rules of the host's own at boot, and empties the tables before: the hold must come after it. */
const rulesOfHost = [
  "nftables.service",
  "netfilter-persistent.service",
  "iptables.service",
  "ip6tables.service",
  "ufw.service",
  "firewalld.service",
];

/**
 * The unit. It changes nothing when the daemon's rules stand already (a restart of the unit at run time), unless they
 * do in the other variant of iptables: then the daemon takes the hold away within seconds.
 *
 * Docker does not start without it: bridges that nothing holds would be open. One failure is none: where the kernel
 * has no IPv6 (ipv6.disable=1), ip6tables cannot hold it, and no bridge can carry it either.
 */
export function bootGuardUnit(): string {
  const restore = (tool: string, orElse: string): string =>
    `ExecStart=/bin/sh -c '${tool} -w -t mangle -S ${chainNames.forward} >/dev/null 2>&1 || printf "${holdRules()}\\n" | ${tool}-restore -w --noflush${orElse}'`;
  return [
    "[Unit]",
    "Description=Hold container networks until Dockerwall has classified them",
    "DefaultDependencies=no",
    `After=systemd-modules-load.service local-fs.target ${rulesOfHost.join(" ")}`,
    "Before=docker.service network-pre.target",
    "Wants=network-pre.target",
    "",
    "[Service]",
    "Type=oneshot",
    "RemainAfterExit=yes",
    restore("iptables", ""),
    restore("ip6tables", " || test ! -e /proc/net/if_inet6"),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "RequiredBy=docker.service",
    "",
  ].join("\n");
}
