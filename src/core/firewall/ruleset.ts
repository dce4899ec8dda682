// The rules, as data. They never change while the daemon runs: what varies (networks, containers, grants)
// stands in kernel sets, so that a packet walks the same few rules on a host with one network and with five
// hundred, and a new network or grant costs a set entry, not a ruleset.
//
// Order of decision for a packet of a guarded container, first match wins:
//   raw      it was seen at its sender's port, and its source is one of its network's addresses, on its network's
//            bridge; else drop
//   mangle   same network; reply; stamped flow; granted (destination, port, asker); ask the daemon; else drop
// Connection state and stamps speak for the flow that a packet is of. One that is RELATED is of no flow yet (what a
// helper expects, and then it is judged as a new one), or tells of another packet (an error of ICMP) and carries the
// marks of whatever flow it quotes: the daemon looks whether that packet had been sent to it.
// Every rule is written exactly as iptables-save prints it, so that reading back is comparing text.

import type { Family } from "../model/address.ts";
import {
  askedMark,
  chainNames as chain,
  connectionMark,
  engineQueueNumber,
  heldPrefix,
  refusedMark,
  rejectedMark,
  senderMark,
  setNames,
  unsettledMark,
  unsettledQueueNumber,
} from "./names.ts";
import { ownersAtMost } from "./sets.ts";

export type TableName = "raw" | "mangle" | "nat" | "filter";

export interface Chain {
  readonly name: string;
  /** Rule bodies as iptables-save prints them, without `-A CHAIN`. */
  readonly rules: readonly string[];
}

export interface Jump {
  readonly hook: string;
  readonly chain: string;
  /** True where the hook is a chain of somebody's, which may not be there; then there is no jump. */
  readonly optional?: boolean;
}

export interface Table {
  readonly name: TableName;
  readonly chains: readonly Chain[];
  /** Jumps that must stand first, and once, in a built-in chain. */
  readonly jumps: readonly Jump[];
  /** Chains of ours that are left alone, with the jumps to them, whether they are there or not. */
  readonly spared?: readonly string[];
}

export interface RulesetOptions {
  readonly family: Family;
  /** Port of our listener on the host. */
  readonly dnsPort: number;
  readonly queueNumber: number;
  /** Whether bridges named `br-*` that nobody classified yet are denied. */
  readonly hold: boolean;
  /**
   * Whether what comes from an address of a guarded container must have been seen at that container's port (see
   * portTable). Not where ports cannot be guarded, or are not yet.
   */
  readonly demandSender?: boolean;
  /** Whether what holds the questions of a starting engine stays, in whatever table (src/core/firewall/engine-hold.ts). */
  readonly spareQuestions?: boolean;
}

/** Lookups per second and burst that one address may send before the rest is shed ahead of conntrack. */
const lookupRate = { perSecond: 300, burst: 600 };
/** New denied connections per second and burst that one address may have remembered: a scan must not fill the set. */
const deniedRate = { perSecond: 5, burst: 256 };
/**
 * Questions to the daemon per second and burst that one address may cause by packets to ask-first destinations. Every
 * name of a network without ports in its list costs one, and a client connects to a thousand fresh names a second.
 */
const askRate = { perSecond: 2000, burst: 1000 };
/** Errors of ICMP per second and burst that one address may have looked at as its own stack sends at most. */
const errorRate = { perSecond: 1000, burst: 1000 };

/** As many sources as there can be owners of addresses, some 100 bytes each. */
const limitTable = { buckets: 16_384, sources: ownersAtMost } as const;

/**
 * Granted flows at once that one address may have: the table of tracked flows is the whole host's, and the kernel finds
 * no room in it while those that were answered stay open. As many as the addresses that may be granted to it.
 */
const flowsAtMost = 8192;

/** The whole ruleset of one family. */
export function renderRuleset(options: RulesetOptions): readonly Table[] {
  const tables = renderTables(options);
  if (options.spareQuestions !== true) return tables;
  return tables.map((table) => ({ ...table, spared: [chain.engine] }));
}

function renderTables(options: RulesetOptions): readonly Table[] {
  const sets = setsOf(options.family);
  return [
    {
      name: "raw",
      jumps: [{ hook: "PREROUTING", chain: chain.raw }],
      chains: [
        { name: chain.raw, rules: rawRules(options, sets) },
        ...(options.demandSender
          ? [
              { name: chain.sender, rules: senderRules(options, sets) },
              { name: chain.unsettled, rules: unsettledRules(options, sets) },
              { name: chain.cleared, rules: clearedRules(options, sets) },
            ]
          : []),
        { name: chain.flood, rules: floodRules(options.family) },
      ],
    },
    {
      name: "mangle",
      jumps: [
        { hook: "FORWARD", chain: chain.forward },
        { hook: "INPUT", chain: chain.input },
        { hook: "OUTPUT", chain: chain.output },
        { hook: "POSTROUTING", chain: chain.post },
      ],
      chains: [
        { name: chain.forward, rules: forwardRules(options, sets) },
        { name: chain.inward, rules: inwardRules(options) },
        { name: chain.judge, rules: judgeRules(options, sets) },
        { name: chain.error, rules: errorRules(options) },
        {
          name: chain.admit,
          rules: [
            `-m connlimit --connlimit-above ${flowsAtMost} --connlimit-mask ${options.family === 4 ? 32 : 128} --connlimit-saddr ${comment("too many flows at once")} -g ${chain.deny}`,
            `${comment("stamp the flow")} -j CONNMARK --set-xmark ${admittedMark}`,
            `${comment("asked about no more")} -j MARK --set-xmark 0x0/${hex(askedMark)}`,
          ],
        },
        { name: chain.input, rules: inputRules(options, sets) },
        { name: chain.host, rules: hostRules(options, sets) },
        ...(options.family === 6 ? [{ name: chain.link, rules: linkRules() }] : []),
        { name: chain.output, rules: outputRules() },
        { name: chain.question, rules: questionRules(options, sets) },
        { name: chain.deny, rules: denyRules(options, sets) },
        { name: chain.refuse, rules: refuseRules(options, sets) },
        {
          name: chain.post,
          // Behind whatever should have told the sender: Docker's rules may come before, or there may be none.
          rules: [`-m mark --mark ${toldMark} ${comment("denied, told or not")} -j DROP`],
        },
        {
          name: chain.audit,
          rules: [
            `-m conntrack --ctstate NEW,ESTABLISHED ${comment("would be denied")} -j CONNMARK --set-xmark ${auditedMark}`,
          ],
        },
      ],
    },
    {
      name: "nat",
      jumps: [{ hook: "PREROUTING", chain: chain.capture }],
      chains: [{ name: chain.capture, rules: captureRules(options, sets) }],
    },
    {
      name: "filter",
      // REJECT works in this table only. Docker moves jumps in FORWARD about, but leaves what its users put here.
      jumps: [
        { hook: "INPUT", chain: chain.accept },
        { hook: "OUTPUT", chain: chain.reject },
        { hook: "DOCKER-USER", chain: chain.reject, optional: true },
      ],
      chains: [
        { name: chain.accept, rules: acceptRules(options, sets) },
        { name: chain.reject, rules: rejectRules(options) },
      ],
    },
  ];
}

const hex = (value: number): string => `0x${value.toString(16)}`;
const toldMark = `${hex(rejectedMark)}/${hex(rejectedMark)}`;
const auditedMark = `${hex(connectionMark.audited)}/${hex(connectionMark.mask)}`;
const admittedMark = `${hex(connectionMark.admitted)}/${hex(connectionMark.mask)}`;

interface FamilySets {
  readonly guarded: string;
  readonly open: string;
  readonly closed: string;
  readonly grant: string;
  readonly ask: string;
  readonly fixed: string;
  readonly host: string;
  readonly quarantine: string;
  readonly audit: string;
  readonly reject: string;
  readonly denied: string;
  readonly awake: string;
}

function setsOf(family: Family): FamilySets {
  return {
    guarded: setNames[`guarded${family}`],
    open: setNames[`open${family}`],
    closed: setNames[`closed${family}`],
    grant: setNames[`grant${family}`],
    ask: setNames[`ask${family}`],
    fixed: setNames[`static${family}`],
    host: setNames[`host${family}`],
    quarantine: setNames[`quarantine${family}`],
    audit: setNames[`audit${family}`],
    reject: setNames[`reject${family}`],
    denied: setNames[`denied${family}`],
    awake: setNames[`awake${family}`],
  };
}

function inSet(set: string, dimensions: string): string {
  return `-m set --match-set ${set} ${dimensions}`;
}

function comment(text: string): string {
  return `-m comment --comment ${text.includes(" ") ? `"${text}"` : text}`;
}

function rawRules(options: RulesetOptions, sets: FamilySets): string[] {
  if (options.demandSender) {
    return [
      // Both at once: what has no mark of ours, as nearly everything, walks one rule for them.
      `-m mark ! --mark 0x0/${hex(senderMark + unsettledMark)} ${comment("seen at a port")} -g ${chain.sender}`,
      ...unmarkedRules(options, sets),
    ];
  }
  return [
    `${inSet(sets.guarded, "src,src")} ${comment("guarded container")} -g ${chain.flood}`,
    ...elsewhereRules(options, sets),
  ];
}

/** What was not seen at the port of a guarded container. */
function unmarkedRules(options: RulesetOptions, sets: FamilySets): string[] {
  return [
    // Who starts while we are away must find his neighbours, as he does where the kernel shows us no bridged packets.
    `${inSet(sets.guarded, "src,src")} ${inSet(sets.guarded, "dst,src")} -m addrtype ! --dst-type LOCAL ${comment("to a neighbour")} -j RETURN`,
    `${inSet(sets.guarded, "src,src")} ${comment("not from whose address it is")} -j DROP`,
    ...elsewhereRules(options, sets),
  ];
}

/** What is from no address of a guarded container. */
function elsewhereRules({ family }: RulesetOptions, sets: FamilySets): string[] {
  return [
    `${inSet(sets.open, "src,src")} ${comment("not guarded")} -j RETURN`,
    ...(family === 6 ? linkLocalRules() : []),
    ...strangerRules(sets),
  ];
}

/**
 * What came by a port of which nobody knows yet whose it is waits for the daemon, which drops it or has it look again
 * without the mark. When nobody listens it goes on at once, past the rest of this table: nothing of open networks hangs
 * on the daemon. So what the rules can judge without it never gets there.
 */
function unsettledRules({ family, queueNumber }: RulesetOptions, sets: FamilySets): string[] {
  return [
    // Cannot be routed. Who is not answered for three seconds gives up all that he would have sent.
    ...(family === 6
      ? [
          `-d ff02::/16 -p ipv6-icmp -m icmp6 --icmpv6-type 135 ${comment("looks for a neighbour")} -g ${chain.cleared}`,
        ]
      : []),
    `${inSet(sets.guarded, "src,src")} ${comment("guarded container")} -g ${chain.cleared}`,
    `${inSet(sets.closed, "src,src")} ${comment("guarded network")} -g ${chain.cleared}`,
    `${comment("ask the daemon")} -j NFQUEUE --queue-num ${unsettledQueueNumber(queueNumber)} --queue-bypass`,
  ];
}

function clearedRules(options: RulesetOptions, sets: FamilySets): string[] {
  return [
    `${comment("judged by its address")} -j MARK --set-xmark 0x0/0xffffffff`,
    ...unmarkedRules(options, sets),
  ];
}

/** What the chain of a guarded port has let in. On an open bridge, too, only what a set knows by its address. */
function senderRules(options: RulesetOptions, sets: FamilySets): string[] {
  return [
    `-m mark --mark ${hex(unsettledMark)}/${hex(unsettledMark)} ${comment("nobody knows yet whose port it is")} -g ${chain.unsettled}`,
    // The host's own rules and routes may go by marks, and this one is nobody's business from here on.
    `${comment("seen")} -j MARK --set-xmark 0x0/${hex(senderMark)}`,
    `${inSet(sets.guarded, "src,src")} ${comment("guarded container")} -g ${chain.flood}`,
    ...(options.family === 6 ? linkLocalRules() : []),
    `${comment("not an address of this network")} -j DROP`,
  ];
}

/** Neighbour discovery and link-local traffic inside a network; it cannot be routed. Router advertisements are not. */
function linkLocalRules(): string[] {
  const onLink = inSet(setNames.link6, "src,src");
  return [
    `-p ipv6-icmp ${onLink} -m icmp6 --icmpv6-type 134 ${comment("containers are no routers")} -j DROP`,
    // Nothing that stays on the link is judged by its flow, and its sender chooses both addresses: it could fill the
    // table of tracked flows, which is the whole host's, with flows that live on for days after it.
    `-s fe80::/10 ${onLink} -m addrtype ! --dst-type LOCAL ${comment("no flow to be tracked")} -j CT --notrack`,
    `-s fe80::/10 ${onLink} ${comment("link-local")} -j RETURN`,
    `-s ::/128 -p ipv6-icmp ${onLink} -m icmp6 --icmpv6-type 135 ${comment("looks whether an address is free")} -j RETURN`,
  ];
}

/** Strangers on guarded bridges. */
function strangerRules(sets: FamilySets): string[] {
  return [`${inSet(sets.closed, "src,src")} ${comment("not an address of this network")} -j DROP`];
}

/** Bridges that nobody classified yet: what they send is dropped, but never before the host has had its answers. */
function heldRules(options: RulesetOptions, sets: FamilySets): string[] {
  if (!options.hold) return [];
  return [
    `-i ${heldPrefix}+ -m set ! --match-set ${sets.open} src,src ${comment("held until classified")} -j DROP`,
  ];
}

/** A bridge that is held may be the host's own way out: what it asked for itself is answered. */
function hostAnswerRules({ family, hold }: RulesetOptions): string[] {
  if (!hold) return [];
  const discovery = [135, 136].map(
    (type) =>
      `-i ${heldPrefix}+ -p ipv6-icmp -m icmp6 --icmpv6-type ${type} -m hl --hl-eq 255 ${comment("neighbour discovery")} -j RETURN`,
  );
  return [
    `-i ${heldPrefix}+ -m conntrack --ctstate ESTABLISHED --ctdir REPLY ${comment("answer to the host")} -j RETURN`,
    ...(family === 6 ? discovery : []),
  ];
}

/** Floods of lookups are shed here, before conntrack and before our socket. */
function floodRules(family: Family): string[] {
  return [
    `-p udp -m udp --dport 53 ${hashlimit(`dockerwall-dns${family}`, "above", lookupRate)} ${comment("flood of lookups")} -j DROP`,
  ];
}

interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/**
 * A limit for each source. A rule is given the table of its name that is there, whatever its own figures are, so they
 * are in the name: an older version's table stays with its last rule. Without a size the kernel takes one by the host's memory, and when the table is full it
 * drops what comes from whoever is not in it.
 */
function hashlimit(name: string, side: "upto" | "above", { perSecond, burst }: Rate): string {
  return `-m hashlimit --hashlimit-${side} ${perSecond}/sec --hashlimit-burst ${burst} --hashlimit-mode srcip --hashlimit-name ${name}-${perSecond}-${burst} --hashlimit-htable-size ${limitTable.buckets} --hashlimit-htable-max ${limitTable.sources} --hashlimit-htable-expire 10000`;
}

function forwardRules(options: RulesetOptions, sets: FamilySets): string[] {
  return [
    `${inSet(sets.quarantine, "src")} ${comment("in quarantine")} -g ${chain.deny}`,
    `${inSet(sets.quarantine, "dst")} ${comment("in quarantine")} -j DROP`,
    `${inSet(sets.guarded, "src,src")} ${comment("guarded container")} -g ${chain.judge}`,
    ...(options.family === 6 ? onLinkDestinations : []),
    ...strangerRules(sets),
    ...heldRules(options, sets),
    `${inSet(sets.guarded, "dst,src")} ${comment("neighbour of a container with a second network")} -j RETURN`,
    `-m conntrack --ctstate NEW,RELATED ${inSet(sets.guarded, "dst,dst")} -m set ! --match-set ${sets.audit} dst,dst ${comment("to a guarded container")} -g ${chain.inward}`,
  ];
}

/** A helper that expects a flow translates its destination too; nobody has published that port. */
function inwardRules({ family }: RulesetOptions): string[] {
  return [
    `-p ${icmpOf(family)} -m conntrack --ctstate RELATED ${comment("tells of a packet")} -j RETURN`,
    `-m conntrack --ctstate NEW -m conntrack --ctstate DNAT ${comment("published port")} -j RETURN`,
    `${comment("only published ports lead in")} -j DROP`,
  ];
}

function icmpOf(family: Family): string {
  return family === 4 ? "icmp" : "ipv6-icmp";
}

/** Cannot be routed. */
const onLinkDestinations = ["fe80::/10", "ff02::/16"].map(
  (prefix) => `-d ${prefix} ${comment("link-local")} -j RETURN`,
);

function judgeRules(options: RulesetOptions, sets: FamilySets): string[] {
  const rate = hashlimit(`dockerwall-ask${options.family}`, "upto", askRate);
  return [
    `${inSet(sets.guarded, "src,dst")} ${comment("same network")} -j RETURN`,
    ...(options.family === 6 ? onLinkDestinations : []),
    `-m conntrack --ctstate ESTABLISHED --ctdir REPLY ${comment("answer to who came in")} -j RETURN`,
    // Confirmed: it has passed all of this once, so a stamp that somebody else's rule sets beforehand opens nothing.
    `-m conntrack --ctstate NEW,ESTABLISHED --ctstatus CONFIRMED -m connmark --mark ${admittedMark} ${comment("admitted flow")} -j RETURN`,
    `-m conntrack --ctstate INVALID ${comment("of no flow")} -g ${chain.deny}`,
    `-p ${icmpOf(options.family)} -m conntrack --ctstate RELATED ${comment("tells of a packet")} -g ${chain.error}`,
    `${inSet(sets.grant, "dst,dst,src")} ${comment("granted")} -g ${chain.admit}`,
    `-m conntrack --ctstate NEW,ESTABLISHED --ctstatus CONFIRMED -m connmark --mark ${auditedMark} ${inSet(sets.audit, "src,src")} ${comment("audited flow")} -j RETURN`,
    `-m mark --mark ${hex(refusedMark)}/${hex(refusedMark)} ${comment("the daemon said no")} -g ${chain.refuse}`,
    ...[sets.ask, sets.fixed].map(
      (set) =>
        `${inSet(set, "dst")} ${rate} ${comment("ask the daemon")} -j NFQUEUE --queue-num ${options.queueNumber}`,
    ),
    `${comment("not granted")} -g ${chain.refuse}`,
  ];
}

/** The daemon lets an error pass at once, so its mark can say no only. Nobody is told that an error was denied. */
function errorRules({ family, queueNumber }: RulesetOptions): string[] {
  return [
    `-m mark --mark ${hex(refusedMark)}/${hex(refusedMark)} ${comment("the daemon said no")} -g ${chain.deny}`,
    `${hashlimit(`dockerwall-error${family}`, "upto", errorRate)} ${comment("ask the daemon")} -j NFQUEUE --queue-num ${queueNumber}`,
    `${comment("too many of them")} -g ${chain.deny}`,
  ];
}

/** A denied packet on its way out: dropped, or marked for whoever can tell its sender. */
function refuseRules(options: RulesetOptions, sets: FamilySets): string[] {
  return [
    `-m set ! --match-set ${sets.reject} src,src ${comment("nobody is told")} -g ${chain.deny}`,
    `${inSet(sets.audit, "src,src")} ${comment("audit decides")} -g ${chain.deny}`,
    noteRule(options, sets),
    `${comment("denied, and told")} -j MARK --set-xmark ${toldMark}`,
  ];
}

/** What is marked is answered as if the destination had refused. */
function rejectRules({ family }: RulesetOptions): string[] {
  const prohibited = family === 4 ? "icmp-admin-prohibited" : "icmp6-adm-prohibited";
  return [
    `-p tcp -m mark --mark ${toldMark} ${comment("told at once")} -j REJECT --reject-with tcp-reset`,
    `-m mark --mark ${toldMark} ${comment("told at once")} -j REJECT --reject-with ${prohibited}`,
  ];
}

function inputRules(options: RulesetOptions, sets: FamilySets): string[] {
  return [
    // What the host says to itself is none of our business, whoever has the port while no daemon runs.
    ...["udp", "tcp"].map(
      (protocol) =>
        `! -i lo -p ${protocol} -m ${protocol} --dport ${options.dnsPort} -m conntrack ! --ctstate DNAT ${comment("by redirection only")} -j DROP`,
    ),
    `${inSet(sets.quarantine, "src")} ${comment("in quarantine")} -g ${chain.deny}`,
    `${inSet(sets.guarded, "src,src")} ${comment("guarded container")} -g ${chain.host}`,
    ...(options.family === 6
      ? [`${inSet(setNames.link6, "src,src")} ${comment("guarded container, link-local")} -g ${chain.link}`]
      : []),
    ...strangerRules(sets),
    ...hostAnswerRules(options),
    ...heldRules(options, sets),
  ];
}

const discoveryRules = [135, 136].map(
  (type) =>
    `-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -m hl --hl-eq 255 ${comment("neighbour discovery")} -j RETURN`,
);
const answerRule = `-m conntrack --ctstate ESTABLISHED --ctdir REPLY ${comment("answer to the host")} -j RETURN`;

/**
 * What comes to the host from a link-local address. No set says whose such an address is, and who has it may be on many
 * networks: so what is denied is written into no table that others share.
 */
function linkRules(): string[] {
  return [...discoveryRules, answerRule, `${comment("denied, and noted nowhere")} -j DROP`];
}

/** What a guarded container may ask of the host itself: its redirected lookups, and what `host` entries name. */
function hostRules(options: RulesetOptions, sets: FamilySets): string[] {
  const redirected = "-m conntrack --ctstate DNAT --ctorigdstport 53";
  return [
    ...(options.family === 6 ? discoveryRules : []),
    answerRule,
    ...["udp", "tcp"].map(
      (protocol) =>
        `-p ${protocol} -m ${protocol} --dport ${options.dnsPort} ${redirected} ${comment("redirected lookup")} -j RETURN`,
    ),
    `${inSet(sets.host, "src,dst")} ${comment("host entry")} -j RETURN`,
    `${comment("not granted")} -g ${chain.deny}`,
  ];
}

/**
 * What the engine's own resolver asks for containers leaves by the host's OUTPUT, where it looks like a question of any
 * program of root's. So each such question waits for the daemon, which lets it go at once unless it may be that of a
 * guarded container whose capture came late (src/data/engine-questions.ts). Nothing of the host is cut for want of a daemon:
 * when nobody listens to the queue, and soon when who listens no longer answers, questions pass it by.
 */
function outputRules(): string[] {
  const to = `-m owner --uid-owner 0 ${comment("question of the engine, maybe")} -g ${chain.question}`;
  return [`-p udp -m udp --dport 53 ${to}`, `-p tcp -m tcp --dport 53 -m conntrack --ctstate NEW ${to}`];
}

function questionRules({ queueNumber }: RulesetOptions, { awake }: FamilySets): string[] {
  const asked = `${hex(askedMark)}/${hex(askedMark)}`;
  return [
    `-m mark ! --mark ${asked} ${inSet(awake, "dst")} ${comment("ask the daemon")} -j NFQUEUE --queue-num ${engineQueueNumber(queueNumber)} --queue-bypass`,
    `${comment("asked about no more")} -j MARK --set-xmark 0x0/${hex(askedMark)}`,
  ];
}

/**
 * The first packet of a (asker, service, destination) adds the entry, later ones only count: adding with
 * `--exist` would reset the counters on every packet.
 */
function noteRule({ family }: RulesetOptions, { denied }: FamilySets): string {
  const rate = hashlimit(`dockerwall-denied${family}`, "upto", deniedRate);
  return `-m set ! --match-set ${denied} src,dst,dst ${rate} ${comment("remember it")} -j SET --add-set ${denied} src,dst,dst`;
}

function denyRules(options: RulesetOptions, sets: FamilySets): string[] {
  return [
    noteRule(options, sets),
    `${inSet(sets.quarantine, "src")} ${comment("in quarantine")} -j DROP`,
    `${inSet(sets.audit, "src,src")} ${comment("audit lets it pass")} -g ${chain.audit}`,
    `${comment("denied")} -j DROP`,
  ];
}

/** Lookups to whatever server come to us; a DNS server inside the same network stays reachable. */
function captureRules(options: RulesetOptions, sets: FamilySets): string[] {
  return [
    `-m set ! --match-set ${sets.guarded} src,src ${comment("not guarded")} -j RETURN`,
    `${inSet(sets.guarded, "dst,src")} -m addrtype ! --dst-type LOCAL ${comment("server in the same network")} -j RETURN`,
    ...["udp", "tcp"].map(
      (protocol) =>
        `-p ${protocol} -m ${protocol} --dport 53 ${comment("lookup to whatever server")} -j REDIRECT --to-ports ${options.dnsPort}`,
    ),
  ];
}

/** A host that drops by default (ufw, firewalld) must still let the redirected lookups in. */
function acceptRules(options: RulesetOptions, sets: FamilySets): string[] {
  return ["udp", "tcp"].map(
    (protocol) =>
      `-p ${protocol} -m ${protocol} --dport ${options.dnsPort} ${inSet(sets.guarded, "src,src")} ${comment("redirected lookup")} -j ACCEPT`,
  );
}
