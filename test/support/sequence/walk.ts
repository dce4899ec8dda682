// What rules make of the first packet of a flow: a walk through a hook, by the text of the rules and the members of sets.

import assert from "node:assert/strict";
import {
  type Family,
  type IpAddress,
  type Prefix,
  parsePrefix,
  prefixContains,
} from "../../../src/core/model/address.ts";
import type { KernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import type { SetKey } from "../../../src/edge/kernel/ipset/message.ts";

/** A SYN, of a flow that nobody knows. */
export interface Packet {
  readonly family: Family;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly port: number;
  readonly from: string;
  /** The interface that it would leave by; none when it is for the host. */
  readonly to: string | undefined;
}

export type Fate = "passes" | "dropped" | "asked";

/** As far as a walk needs it. */
export interface WalkedKernel {
  readonly chain: (family: Family, table: string, name: string) => readonly string[] | undefined;
  readonly sets: Pick<KernelSets, "list" | "names">;
}

/** A table, and a built-in chain of it. */
export type Hook = readonly [table: string, chain: string];

interface Walk {
  readonly packet: Packet;
  table: string;
  readonly kernel: WalkedKernel;
  mark: number;
  /** The mark of its flow. */
  stamp: number;
}

type Test = (walk: Walk) => boolean;

interface Rule {
  readonly tests: readonly Test[];
  readonly flag: string;
  readonly target: string;
  /** Mark and mask that the target writes. */
  readonly written: readonly [number, number] | undefined;
}

/** What becomes of a packet on its way through these hooks. */
export function fateOf(kernel: WalkedKernel, packet: Packet, hooks: readonly Hook[]): Fate {
  const walk: Walk = { packet, table: "", kernel, mark: 0, stamp: 0 };
  for (const [table, hook] of hooks) {
    walk.table = table;
    const fate = through(hook, walk) ?? "passes";
    if (fate !== "passes") return fate;
  }
  return "passes";
}

/** Undefined for one that comes back. */
function through(chain: string, walk: Walk): Fate | undefined {
  for (const body of walk.kernel.chain(walk.packet.family, walk.table, chain) ?? []) {
    const rule = ruleOf(body);
    if (!rule.tests.every((test) => test(walk))) continue;
    switch (rule.target) {
      case "ACCEPT":
        return "passes";
      case "DROP":
      case "REJECT":
        return "dropped";
      case "NFQUEUE":
        return "asked";
      case "RETURN":
        return undefined;
      case "MARK":
        walk.mark = writtenTo(walk.mark, rule);
        continue;
      case "CONNMARK":
        walk.stamp = writtenTo(walk.stamp, rule);
        continue;
      case "SET":
      case "CT":
        continue;
      default: {
        const fate = through(rule.target, walk);
        if (fate !== undefined || rule.flag === "-g") return fate;
      }
    }
  }
  return undefined;
}

function writtenTo(mark: number, { written: [value, mask] = [0, 0] }: Rule): number {
  return (mark & ~mask) ^ value;
}

const rules = new Map<string, Rule>();

function ruleOf(body: string): Rule {
  const known = rules.get(body) ?? readRule(body);
  rules.set(body, known);
  return known;
}

/** Options that say nothing of this packet. */
const silent =
  /^-m$|^--(?:comment|hashlimit-(?:burst|mode|name|htable-\w+)|connlimit-mask|ctorigdstport|reject-with|to-ports|queue-num)$/;
/** Options without a value. */
const flags = /^--(?:connlimit-saddr|queue-bypass|notrack)$/;

/** Options with a second value, a list. */
const twoValued = /^--(?:match-set|tcp-flags)$/;

/** Options that are not true of it, whatever their value. */
const untrue = /^--(?:length|hashlimit-above|connlimit-above|ctstatus|ctdir|icmpv6-type|hl-eq|uid-owner)$/;

function readRule(body: string): Rule {
  // The option of either kind of mark is called the same.
  const words = body.replace(/-m connmark --mark/, "--connmark").match(/"[^"]*"|\S+/g) ?? [];
  const next = (): string => words.shift() ?? "";
  const tests: Test[] = [];
  let goal: Pick<Rule, "flag" | "target"> = { flag: "", target: "" };
  let written: Rule["written"];
  let not = false;
  while (words.length > 0) {
    const word = next();
    const negated = not;
    not = word === "!";
    if (not || flags.test(word)) continue;
    // Each packet comes by the way that leads back to its source.
    if (word === "--invert") {
      tests.push(() => false);
      continue;
    }
    const value = next();
    if (word === "-j" || word === "-g") goal = { flag: word, target: value };
    else if (word === "--set-xmark") written = bitsOf(value);
    else if (word === "--add-set") next();
    else if (!silent.test(word)) {
      const test = testOf(word, value, twoValued.test(word) ? next().split(",") : []);
      tests.push((walk) => test(walk) !== negated);
    }
  }
  return { ...goal, tests, written };
}

/** @param list the second value of an option that has two */
function testOf(option: string, value: string, list: readonly string[]): Test {
  switch (option) {
    case "-s":
      return ({ packet }) => prefixContains(prefixOf(value), packet.source);
    case "-d":
      return ({ packet }) => prefixContains(prefixOf(value), packet.destination);
    case "-i":
      return ({ packet }) => isNamed(value, packet.from);
    case "-o":
      return ({ packet }) => packet.to !== undefined && isNamed(value, packet.to);
    case "-p":
      return () => value === "tcp";
    case "--dport":
      return ({ packet }) => packet.port === Number(value);
    case "--match-set":
      return ({ packet, kernel }) => isIn(kernel.sets, value, packet, list);
    case "--tcp-flags": {
      const isTrue = isOfSyn(value.split(","), list);
      return () => isTrue;
    }
    case "--mark":
      return ({ mark }) => hasBits(mark, value);
    case "--connmark":
      return ({ stamp }) => hasBits(stamp, value);
    case "--ctstate":
      return () => value.split(",").includes("NEW");
    case "--dst-type":
      return ({ packet }) => packet.to === undefined;
    case "--src-type":
      return () => false;
    case "--pkt-type":
      return () => value === "unicast";
    case "--hashlimit-upto":
      return () => true;
    default:
      assert.match(option, untrue);
      return () => false;
  }
}

function isNamed(pattern: string, name: string): boolean {
  return pattern.endsWith("+") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

const tcpFlags = /^(?:FIN|SYN|RST|PSH|ACK|URG)$/;

/** Whether, of the flags of a mask, a packet with SYN alone has just these. */
function isOfSyn(mask: readonly string[], wanted: readonly string[]): boolean {
  const set = wanted.filter((flag) => flag !== "NONE");
  for (const flag of [...mask, ...set]) assert.match(flag, tcpFlags);
  return set.join() === (mask.includes("SYN") ? "SYN" : "");
}

function isIn(
  sets: WalkedKernel["sets"],
  name: string,
  packet: Packet,
  [first = "", second = ""]: readonly string[],
): boolean {
  const address = first === "src" ? packet.source : packet.destination;
  const holds = (key: SetKey): boolean => {
    switch (key.kind) {
      case "net":
        return prefixContains(key.prefix, address);
      case "net-iface":
        return (
          prefixContains(key.prefix, address) && key.iface === (second === "src" ? packet.from : packet.to)
        );
      case "net-port":
        return prefixContains(key.prefix, address) && key.protocol === 6 && key.port === packet.port;
      case "set":
        return isIn(sets, key.name, packet, [first, second]);
      case "ip-port-ip":
      case "ip-port-net":
        return false;
    }
  };
  return sets.list(name).some(({ key }) => holds(key));
}

function prefixOf(text: string): Prefix {
  return parsePrefix(text) ?? assert.fail(text);
}

function hasBits(mark: number, text: string): boolean {
  const [value, mask] = bitsOf(text);
  return ((mark ^ value) & mask) === 0;
}

function bitsOf(text: string): readonly [number, number] {
  const [value = 0, mask = 0xffff_ffff] = text.split("/").map(Number);
  return [value, mask];
}
