// What holds container networks between boot and the daemon: a few rules, put in before Docker starts. They stand in
// chains of ours, so the daemon's first restore replaces them in one transaction, without a moment in between.

import type { Family } from "../model/address.ts";
import { fromInterface, isAnswer, toPort } from "./match.ts";
import { type ChainName, chainNames, heldPrefix } from "./names.ts";
import { planRules } from "./plan.ts";
import { renderRule } from "./render.ts";
import { renderSet } from "./render-set.ts";
import { fromHeldBridge, neighbourDiscovery } from "./ruleset/bridges.ts";
import { setSpecs } from "./sets.ts";
import { type Rule, rule, type Table, type TableName } from "./table.ts";
import { drop, returnIt, type Target } from "./target.ts";

/** A bridge that is called as Docker calls its own and is the host's way out. */
export interface HostBridge {
  readonly bridge: string;
  /** What makes it that, in words. */
  readonly why: readonly string[];
}

// Comments of one word: systemd and the shell both have their own idea of quotes.
const sinceBoot = "held-since-boot";

/**
 * Rules that drop whatever comes from a bridge that Docker may have made; for `iptables-restore --noflush`. What the host
 * asked for itself is answered on all of them.
 */
function holdRules(family: Family, hostBridges: readonly HostBridge[]): string {
  const held = rule(sinceBoot, [fromHeldBridge], drop);
  const own = hostBridges.map(({ bridge }) => rule("way-of-the-host", [fromInterface(bridge)], returnIt));
  const answers = [[isAnswer], ...(family === 6 ? neighbourDiscovery : [])].map((match) => ({
    match: [fromHeldBridge, ...match],
    target: returnIt,
  }));
  const hold: Table = {
    name: "mangle",
    chains: [
      { name: chainNames.forward, rules: [...own, held] },
      { name: chainNames.input, rules: [...own, ...answers, held] },
    ],
    jumps: [
      { hook: "FORWARD", chain: chainNames.forward },
      { hook: "INPUT", chain: chainNames.input },
    ],
  };
  return planRules([hold], new Map()).trimEnd().replaceAll("\n", "\\n");
}

/** Where systemd runs the engine, below the root of cgroup v2. */
const engineGroup = "system.slice/docker.service";

/** What the engine asks resolvers, and what becomes of it. TCP would send again what is only dropped, until it passes. */
const questions: readonly { readonly table: TableName; readonly chain: ChainName; readonly rule: Rule }[] = [
  { table: "mangle", chain: chainNames.output, rule: ofEngine("udp", drop) },
  { table: "filter", chain: chainNames.reject, rule: ofEngine("tcp", { kind: "reject", with: "tcp-reset" }) },
];

function ofEngine(protocol: "tcp" | "udp", target: Target): Rule {
  return rule(sinceBoot, [toPort(protocol, 53), { kind: "cgroup", path: engineGroup }], target);
}

/**
 * A command that fails what the engine asks resolvers. From Engine 28 on, and earlier with a resolver on the host's
 * loopback, the lookups of containers leave from the host itself, where the hold on bridges does not see them; the engine
 * is told from other programs by its cgroup. Its own lookups, for pulls by name, look the same and wait as well.
 *
 * The rule is for the group that there is when it is made, so the group is made first, and the rule anew with each start
 * of the engine. Where either is impossible that is said, and the engine starts all the same.
 */
function holdQuestions(): string {
  const holds = (tool: string): string[] =>
    questions.map(({ table, chain, rule }) => {
      const run = `${tool} -w -t ${table}`;
      const place = `${chain} ${renderRule(rule, table)}`;
      const prepare = [
        `${run} -N ${chain}`,
        `${run} -C OUTPUT -j ${chain} || ${run} -I OUTPUT 1 -j ${chain}`,
        `${run} -D ${place}`,
      ];
      return `{ ${prepare.join("; ")}; true; } 2>/dev/null && ${run} -I ${place}`;
    });
  return [
    "{ cd /sys/fs/cgroup/unified 2>/dev/null || cd /sys/fs/cgroup; }",
    `mkdir -p ${engineGroup}`,
    ...holds("iptables"),
    `{ ${holds("ip6tables").join(" && ")} || test ! -e /proc/net/if_inet6; }`,
  ]
    .join(" && ")
    .concat(" || echo lookups of the engine are not held: no cgroup v2, or no match by it");
}

/** Whether the unit's rules hold what the engine asks, by the output of iptables-save. */
export function areQuestionsHeld(saved: string): boolean {
  return saved
    .split("\n")
    .some((line) => line.startsWith(`-A ${chainNames.output} `) && line.includes(`--comment ${sinceBoot} `));
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
export function bootGuardUnit(hostBridges: readonly HostBridge[]): string {
  const restore = (tool: string, family: Family, orElse: string): string =>
    `ExecStart=/bin/sh -c '${tool} -w -t mangle -S ${chainNames.forward} >/dev/null 2>&1 || printf "${holdRules(family, known)}\\n" | ${tool}-restore -w --noflush${orElse}'`;
  // A name with anything else in it would be another one to systemd, the shell or iptables.
  const known = hostBridges.filter(({ bridge }) => /^[A-Za-z0-9._-]+$/.test(bridge));
  return [
    `# Holds every bridge named ${heldPrefix}*: nothing that comes from one is forwarded or reaches the host, but answers to the host.`,
    ...(known.length === 0
      ? ["# No such bridge was the host's own way out when this was printed; print it anew when one is."]
      : known.map(({ bridge, why }) => `# Not held: ${bridge}, which has ${why.join(", ")}.`)),
    `# Holds what ${engineGroup} asks of port 53, for containers and for itself (pulls by name), until the daemon runs.`,
    `# To pull an image before: for t in iptables ip6tables; do ${questions.map(({ table, chain }) => `$t -t ${table} -F ${chain}`).join("; ")}; done`,
    "[Unit]",
    "Description=Hold container networks until Dockerwall has classified them",
    "DefaultDependencies=no",
    `After=systemd-modules-load.service local-fs.target ${rulesOfHost.join(" ")}`,
    "Before=docker.service network-pre.target",
    "PartOf=docker.service",
    "Wants=network-pre.target",
    "",
    "[Service]",
    "Type=oneshot",
    "RemainAfterExit=yes",
    restore("iptables", 4, ""),
    restore("ip6tables", 6, " || test ! -e /proc/net/if_inet6"),
    `ExecStartPost=-/bin/sh -c '${holdQuestions()}'`,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "RequiredBy=docker.service",
    "",
  ].join("\n");
}

/**
 * A unit that makes our sets, empty, before whatever loads rules at boot: a saved ruleset that holds ours is refused as a
 * whole where the sets that it names are missing, the host's own rules with it.
 */
export function bootSetsUnit(): string {
  const lines = setSpecs()
    .map((spec) => `create ${renderSet(spec)}`)
    .join("\\n");
  return [
    "[Unit]",
    "Description=Make the sets that saved rules of Dockerwall name",
    "DefaultDependencies=no",
    "After=systemd-modules-load.service local-fs.target",
    `Before=${rulesOfHost.join(" ")} network-pre.target`,
    "Wants=network-pre.target",
    "",
    "[Service]",
    "Type=oneshot",
    "RemainAfterExit=yes",
    `ExecStart=/bin/sh -c 'printf "${lines}\\n" | ipset restore -exist'`,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}
