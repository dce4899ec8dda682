// One rule, as strict as iptables and the kernel, and only in the words in which iptables-save prints it.

import { DockerwallError } from "../../src/errors.ts";

const bits = "0x[0-9a-f]+/0x[0-9a-f]+";
const sides = "(?:src|dst)(?:,(?:src|dst)){0,2}";

/** What stands between `-m NAME` and the next match, and where it works; everywhere where nothing is said. */
const matches: Readonly<Record<string, readonly [options: RegExp, hooks?: readonly string[]]>> = {
  comment: [/^--comment (?:[\w-]+|"[^"\\]*")$/],
  udp: [/^--dport \d+$/],
  tcp: [/^--dport \d+(?: --tcp-flags FIN,SYN,RST,ACK SYN)?$/],
  icmp6: [/^--icmpv6-type \d+$/],
  set: [new RegExp(`^(?:! )?--match-set (\\S+) ${sides}$`)],
  mark: [new RegExp(`^(?:! )?--mark (?:${bits}|0x[0-9a-f]+)$`)],
  connmark: [new RegExp(`^(?:! )?--mark ${bits}$`)],
  conntrack: [
    /^(?:! )?--ctstate [A-Z,]+(?: (?:! )?--ctstatus CONFIRMED)?(?: --ctorigdstport \d+)?(?: --ctdir (?:REPLY|ORIGINAL))?$/,
  ],
  addrtype: [/^(?:(?:! )?--dst-type|--src-type) LOCAL$/],
  rpfilter: [/^--invert$/, ["PREROUTING"]],
  pkttype: [/^(?:! )?--pkt-type unicast$/],
  length: [/^--length \d+:\d+$/],
  hashlimit: [
    /^--hashlimit-(?:upto|above) \d+\/sec --hashlimit-burst \d+ --hashlimit-mode srcip --hashlimit-name \S+ --hashlimit-htable-size \d+ --hashlimit-htable-max \d+ --hashlimit-htable-expire \d+$/,
  ],
  connlimit: [/^--connlimit-above \d+ --connlimit-mask \d+ --connlimit-saddr$/],
  owner: [/^--uid-owner \d+$/, ["OUTPUT", "POSTROUTING"]],
  hl: [/^--hl-eq \d+$/],
};

interface Extension {
  readonly grammar: RegExp;
  /** What the head of the rule must have. */
  readonly protocol?: RegExp;
  readonly tables?: readonly string[];
  readonly hooks?: readonly string[];
}

const targets: Readonly<Record<string, Extension>> = {
  ACCEPT: { grammar: /^$/ },
  DROP: { grammar: /^$/, tables: ["raw", "mangle", "filter"] },
  RETURN: { grammar: /^$/ },
  REJECT: {
    grammar: /^--reject-with (?:tcp-reset|icmp-admin-prohibited|icmp6-adm-prohibited)$/,
    tables: ["filter"],
    protocol: /-p tcp /,
  },
  MARK: { grammar: new RegExp(`^--set-xmark ${bits}$`) },
  CONNMARK: { grammar: new RegExp(`^--set-xmark ${bits}$`) },
  SET: { grammar: new RegExp(`^--add-set (\\S+) ${sides}$`) },
  NFQUEUE: { grammar: /^--queue-num \d+(?: --queue-bypass)?$/ },
  CT: { grammar: /^--notrack$/, tables: ["raw"] },
  REDIRECT: {
    grammar: /^--to-ports \d+$/,
    tables: ["nat"],
    protocol: /-p (?:tcp|udp) /,
    hooks: ["PREROUTING", "OUTPUT"],
  },
};

export interface FakeRule {
  readonly body: string;
  readonly jump: string | undefined;
  /** Undefined: works everywhere. */
  readonly hooks: readonly string[] | undefined;
}

interface Written {
  readonly table: string;
  readonly body: string;
  readonly hasSet: (name: string) => boolean;
}

type Hooks = FakeRule["hooks"];

/** @throws DockerwallError KERNEL_REFUSED */
export function parseFakeRule(rule: Written): FakeRule {
  const [, head = "", middle = "", flag = "", target = "", options = ""] =
    /^((?:(?:! )?-[sdiop] \S+ )*)((?:-m \S+ (?:(?!-[mjg] )(?:"[^"]*"|\S+) )*)*)-([jg]) (\S+)(?: (.*))?$/.exec(
      rule.body,
    ) ?? refuse(`not as iptables-save prints it: ${rule.body}`);
  checkHead(head);
  const ofMatches = [...middle.matchAll(/-m (\S+) ((?:(?!-m )(?:"[^"]*"|\S+) )*)/g)].map(
    ([, name = "", said = ""]) => checkMatch(rule, head, name, said.trimEnd()),
  );
  const extension = flag === "j" ? targets[target] : undefined;
  if (extension === undefined) {
    if (options !== "") refuse(`target ${target} ${options}`);
    return { body: rule.body, jump: target, hooks: inAll(ofMatches) };
  }
  checkTarget(rule, head, extension, options);
  if (extension.tables?.includes(rule.table) === false) refuse(`${target} in table ${rule.table}`);
  return { body: rule.body, jump: undefined, hooks: inAll([...ofMatches, extension.hooks]) };
}

function checkHead(head: string): void {
  const flags = [...head.matchAll(/-([sdiop]) /g)].map(([, flag = ""]) => "sdiop".indexOf(flag));
  if (flags.some((flag, index) => index > 0 && flag <= (flags[index - 1] ?? -1)))
    refuse(`twice, or in another order: ${head}`);
}

const protocolOf: Readonly<Record<string, string>> = { udp: "udp", tcp: "tcp", icmp6: "ipv6-icmp" };

/** @returns where it works */
function checkMatch({ hasSet }: Written, head: string, name: string, said: string): Hooks {
  const [grammar, hooks] = matches[name] ?? refuse(`match ${name}`);
  checkWords(grammar, said, hasSet);
  const protocol = protocolOf[name];
  if (protocol !== undefined && !head.includes(`-p ${protocol} `)) refuse(`-m ${name} after ${head}`);
  return hooks;
}

function checkTarget(
  { hasSet }: Written,
  head: string,
  { grammar, protocol }: Extension,
  said: string,
): void {
  checkWords(grammar, said, hasSet);
  if (protocol?.test(head) === false && !said.includes("prohibited")) refuse(`${said} after ${head}`);
}

function checkWords(grammar: RegExp, said: string, hasSet: (name: string) => boolean): void {
  const [fits, set] = grammar.exec(said) ?? [];
  if (fits === undefined) refuse(said);
  if (set !== undefined && !hasSet(set)) refuse(`no set ${set}`);
}

function inAll(allowed: readonly Hooks[]): Hooks {
  const [first, ...others] = allowed.filter((hooks) => hooks !== undefined);
  return first?.filter((hook) => others.every((each) => each.includes(hook)));
}

export function refuse(why: string): never {
  throw new DockerwallError("KERNEL_REFUSED", `the fake kernel refused: ${why}`);
}
