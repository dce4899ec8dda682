// What holds container networks between boot and the daemon: a few rules, installed before Docker starts. They are in
// chains that begin like all of ours, so the daemon's first restore replaces them in one transaction, without a gap.

import type { Family } from "../model/address.ts";
import { engineHoldTables, engineJump, renderEngineHold } from "./engine-hold.ts";
import { type ChainName, chainNames, claimQueueNumber, framesTable, heldPrefix } from "./names.ts";
import { renderSet } from "./render-set.ts";
import { renderReservedFrames } from "./reserved-frames.ts";
import { fromInterface, isAnswer } from "./rules/match.ts";
import type { TableName } from "./rules/parts.ts";
import { planRules } from "./rules/plan.ts";
import { renderJump, renderRule } from "./rules/render.ts";
import { type Jump, rule, type Table } from "./rules/table.ts";
import { drop, returnIt } from "./rules/target.ts";
import { fromHeldBridge, neighbourDiscovery } from "./ruleset/bridges.ts";
import { setSpecs } from "./sets.ts";

/** A bridge with a name like Docker's own that is the host's way out, or another device with such a name. */
export interface HostBridge {
  readonly bridge: string;
  /** What makes it that, in words that follow its name: `has …`. */
  readonly why: string;
}

// Comments of one word: systemd and the shell both have their own idea of quotes.
const sinceBoot = "held-since-boot";
const notHeld = "not-held";

/** What leads to the hold. */
const holdJumps: readonly Jump[] = [
  { hook: "FORWARD", chain: chainNames.bootForward },
  { hook: "INPUT", chain: chainNames.bootInput },
];

/**
 * Rules that drop all packets from a bridge that Docker may have made; for `iptables-restore --noflush`. Answers to the
 * host's own connections pass on all of them. They can only take away: what passes goes on to other rules of ours.
 */
function holdRules(family: Family, hostBridges: readonly string[]): string {
  const held = rule(sinceBoot, [fromHeldBridge], drop);
  const own = hostBridges.map((bridge) => rule(notHeld, [fromInterface(bridge)], returnIt));
  const answers = [[isAnswer], ...(family === 6 ? neighbourDiscovery : [])].map((match) => ({
    match: [fromHeldBridge, ...match],
    target: returnIt,
  }));
  const hold: Table = {
    name: "mangle",
    chains: [
      { name: chainNames.bootForward, rules: [...own, held] },
      { name: chainNames.bootInput, rules: [...own, ...answers, held] },
    ],
    // They stand already when the engine is started again.
    jumps: [],
  };
  return planRules([hold], new Map()).trimEnd().replaceAll("\n", "\\n");
}

/**
 * A command that holds what nothing holds yet, and lets go of the host's own devices, in whatever holds. `$$` is
 * systemd's `$`.
 *
 * Rules of ours may stand without a daemon: they were saved and are loaded at boot, or it has ended. Some hold, and some
 * do not, as of a daemon with `--hold off`, or of one that found nobody guarded when it ended. Sets are empty after a
 * boot, so rules that hold know no bridge of the host's. While a daemon lives and has its rules in place, all is up to it.
 */
function holdBridges(tool: string, family: Family, hostBridges: readonly string[]): string {
  const mangle = `${tool} -w -t mangle`;
  const jumpIn = holdJumps.map((jump) => {
    const text = `${jump.hook} ${renderJump(jump, "mangle")}`;
    return `{ ${mangle} -C ${text} 2>/dev/null || ${mangle} -I ${text}; }`;
  });
  const spareIn = (table: TableName, chain: ChainName): string => `spare ${table} ${chain} "$$i"`;
  const exempt = `-i "$$3" ${renderRule(rule(notHeld, [], returnIt), "mangle")}`;
  const functions = [
    `stand() { ${mangle} -S ${chainNames.forward} >/dev/null 2>&1; }`,
    `guarded() { stand && grep -q "^ *${claimQueueNumber} " /proc/net/netfilter/nfnetlink_queue 2>/dev/null; }`,
    `led() { ${mangle} -C $$1 -j $$2 2>/dev/null && ${mangle} -S $$2 | grep -q -e "-i ${heldPrefix}+ .*held.* -j DROP"; }`,
    `held() { stand && led FORWARD ${chainNames.forward} && led INPUT ${chainNames.input}; }`,
    `hold() { printf "${holdRules(family, hostBridges)}\\n" | ${tool}-restore -w --noflush && ${jumpIn.join(" && ")}; }`,
    // Nothing but the name of a device that is no bridge can be matched.
    `own() { echo ${hostBridges.join(" ")}; cd /sys/class/net; for i in ${heldPrefix}*; do test ! -e "$$i" || test -e "$$i/bridge" || echo "$$i"; done; }`,
    `spare() { ${tool} -w -t $$1 -S $$2 >/dev/null 2>&1 || return 0; ${tool} -w -t $$1 -C $$2 ${exempt} 2>/dev/null || ${tool} -w -t $$1 -I $$2 ${exempt}; }`,
  ];
  const places = [
    spareIn("mangle", chainNames.bootForward),
    spareIn("mangle", chainNames.bootInput),
    // Without them there is no need to have the kernel make a table.
    "stand || continue",
    spareIn("mangle", chainNames.forward),
    spareIn("mangle", chainNames.input),
    spareIn("raw", chainNames.raw),
  ];
  return [
    ...functions,
    `guarded || { { held || hold; } && { for i in $$(own); do ${places.join("; ")}; done; true; }; }`,
  ].join("; ");
}

/** Where systemd runs the engine, below the root of cgroup v2. */
const engineGroup = "system.slice/docker.service";

/**
 * A command that fails what the engine asks resolvers (src/core/firewall/engine-hold.ts).
 *
 * The rule matches the group that exists when the rule is made, so the group is created first, and the rule again at each
 * start of the engine. If either is impossible, the unit says so, with the tools' messages, and the engine starts anyway.
 */
function holdQuestions(): string {
  const holdsIn = (tool: string, variant: "nft" | "legacy"): string =>
    [
      `printf "${renderEngineHold(variant, engineGroup).join("\\n")}\\n" | ${tool}-restore -w --noflush`,
      ...engineHoldTables(variant).map((table) => {
        const jump = `${engineJump.hook} ${renderJump(engineJump, table)}`;
        // Only that it is not there yet would be said.
        return `{ ${tool} -w -t ${table} -C ${jump} 2>/dev/null || ${tool} -w -t ${table} -I ${jump}; }`;
      }),
    ].join(" && ");
  const holds = (tool: string): string =>
    `if ${tool} -V | grep -q legacy; then ${holdsIn(tool, "legacy")}; else ${holdsIn(tool, "nft")}; fi`;
  return [
    "{ cd /sys/fs/cgroup/unified 2>/dev/null || cd /sys/fs/cgroup; }",
    `mkdir -p ${engineGroup}`,
    `{ ${holds("iptables")}; }`,
    `{ { ${holds("ip6tables")}; } || test ! -e /proc/net/if_inet6; }`,
  ]
    .join(" && ")
    .concat(" || echo lookups of the engine are not held: no cgroup v2, or no match by it");
}

/** A command that drops what no bridge passes on and no rule above sees. It needs nft(8), which not every host has. */
function dropReservedFrames(): string {
  const { family, name } = framesTable;
  return [
    `nft list table ${family} ${name} >/dev/null 2>&1`,
    `printf "${renderReservedFrames().join("\\n")}\\n" | nft --file -`,
    "echo frames that no bridge passes on are not held: nft has failed",
  ].join(" || ");
}

/** Services that load the host's own rules at boot, and empty the tables first: the hold must come after them. */
const rulesOfHost = [
  "nftables.service",
  "netfilter-persistent.service",
  "iptables.service",
  "ip6tables.service",
  "ufw.service",
  "firewalld.service",
];

/**
 * The unit. It changes nothing while a daemon enforces (a restart of the engine that the daemon outlives), unless that
 * one's rules are in the other variant of iptables: then the daemon removes the hold within seconds.
 *
 * Docker does not start without it: bridges that nothing holds would be open. One failure does not count: if the kernel
 * has no IPv6 (ipv6.disable=1), ip6tables cannot hold it, and no bridge can carry it either.
 */
export function bootGuardUnit(hostBridges: readonly HostBridge[]): string {
  // A name with anything else in it would be another one to systemd, the shell or iptables.
  const known = hostBridges.filter(({ bridge }) => /^[A-Za-z0-9._-]+$/.test(bridge));
  const names = known.map(({ bridge }) => bridge);
  const start = (tool: string, family: Family, orElse: string): string =>
    `ExecStart=/bin/sh -c '${holdBridges(tool, family, names)}${orElse}'`;
  return [
    `# Holds every bridge named ${heldPrefix}*: packets from it are neither forwarded nor reach the host, except answers to the host.`,
    ...(known.length === 0
      ? ["# No such bridge was the host's own way out when this was printed; print it again when one is."]
      : known.map(({ bridge, why }) => `# Not held: ${bridge}, which ${why}.`)),
    `# Holds lookups of ${engineGroup} to port 53, for containers and for itself (pulls by name), until the daemon runs.`,
    `# To pull an image before: for t in iptables ip6tables; do for b in ${[...engineHoldTables("nft"), ...engineHoldTables("legacy")].join(" ")}; do $t -t $b -F ${chainNames.engine}; done; done`,
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
    start("iptables", 4, ""),
    start("ip6tables", 6, " || test ! -e /proc/net/if_inet6"),
    `ExecStartPost=-/bin/sh -c '${holdQuestions()}'`,
    `ExecStartPost=-/bin/sh -c '${dropReservedFrames()}'`,
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
    "Description=Create the sets that saved rules of Dockerwall name",
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
