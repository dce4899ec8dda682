// The part of nftables that the sandbox table needs, in the bytes of netlink: one batch, tables, base chains, and
// rules as lists of expressions.
// @see include/uapi/linux/netfilter/nf_tables.h, net/netfilter/nfnetlink.c (batch)

import type { Family } from "../model/address.ts";
import { AF_INET, AF_INET6 } from "./libc.ts";
import {
  eachAttribute,
  hostBytes,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_NONREC,
  NLM_F_REQUEST,
  readBytes,
  readText,
} from "./netlink-message.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const messages = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  getChain: 4,
  deleteChain: 5,
  newRule: 6,
  getRule: 7,
} as const;
const table = { name: 1, flags: 2, number: 4 } as const;
const chain = { table: 1, name: 3, hook: 4, policy: 5, type: 7 } as const;
const hook = { number: 1, priority: 2 } as const;
const rule = { table: 1, chain: 2, number: 3, expressions: 4, userData: 7 } as const;
const LIST_ELEMENT = 1;
const expression = { name: 1, data: 2 } as const;
const datum = { value: 1, verdict: 2 } as const;
const VERDICT_CODE = 1;
const VERDICT_CHAIN = 2;
const IMMEDIATE_DATA = 2;
/** struct nfgenmsg in front of the attributes. */
const GENERIC_HEADER = 4;
const REGISTER_VERDICT = 0;
const PAYLOAD_NETWORK = 1;
const PAYLOAD_TRANSPORT = 2;
const META_IIF = 4;
const META_OIF = 5;
const META_NFPROTO = 15;
const META_L4PROTO = 16;
const NAT_DNAT = 1;

export const hookNumbers = { input: 1, output: 3 } as const;
const verdicts = { drop: 0, accept: 1 } as const;

/** include/uapi/linux/netfilter.h: both families in one table. */
const NFPROTO_INET = 1;

/** A table of ours, in its family. */
export interface TableName {
  readonly family: "ip" | "inet";
  readonly name: string;
}

/** One expression of a rule, written when its rule is. */
export type Expression = (writer: NetlinkWriter) => void;

export interface BaseChain {
  readonly table: TableName;
  readonly name: string;
  readonly type: "nat" | "filter";
  readonly hook: keyof typeof hookNumbers;
  readonly priority: number;
}

/** Everything that `content` writes happens together or not at all. */
export function writeBatch(writer: NetlinkWriter, content: () => void): void {
  writer.message(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST).netfilterHeader(0, NFNL_SUBSYS_NFTABLES);
  content();
  writer.message(NFNL_MSG_BATCH_END, NLM_F_REQUEST).netfilterHeader(0, NFNL_SUBSYS_NFTABLES);
}

/**
 * What a table may be: changed by nobody but the socket that made it, while that is open; and not gone with it.
 * The first is of Linux 5.12, the second of 6.9.
 */
export const tableFlags = { none: 0, owned: 2, persistent: 4 } as const;

/** Makes a table if it is not there. @param flags sum of tableFlags */
export function writeNewTable(writer: NetlinkWriter, of: TableName, flags: number = tableFlags.none): void {
  begin(writer, messages.newTable, NLM_F_CREATE, protocolOf(of)).text(table.name, of.name);
  if (flags !== tableFlags.none) writer.u32be(table.flags, flags);
}

export function writeDeleteTable(writer: NetlinkWriter, of: TableName): void {
  begin(writer, messages.deleteTable, 0, protocolOf(of)).text(table.name, of.name);
}

/** Asks for a chain of a table, or for the table. */
export function writeGetPart(
  writer: NetlinkWriter,
  family: Family,
  tableName: string,
  chainName: string | undefined,
): void {
  const protocol = family === 4 ? AF_INET : AF_INET6;
  const message = chainName === undefined ? messages.getTable : messages.getChain;
  begin(writer, message, 0, protocol).text(table.name, tableName);
  if (chainName !== undefined) writer.text(chain.name, chainName);
}

export interface EmptyParts {
  readonly family: Family;
  readonly table: string;
  readonly chains: readonly string[];
  /** Whether the table goes too. */
  readonly whole: boolean;
}

/** Takes chains of a table away, and the table; the kernel refuses when any of them still holds something. */
export function writeDeleteEmpty(writer: NetlinkWriter, parts: EmptyParts): void {
  const protocol = parts.family === 4 ? AF_INET : AF_INET6;
  for (const name of parts.chains) {
    begin(writer, messages.deleteChain, NLM_F_NONREC, protocol)
      .text(chain.table, parts.table)
      .text(chain.name, name);
  }
  if (parts.whole) begin(writer, messages.deleteTable, NLM_F_NONREC, protocol).text(table.name, parts.table);
}

export function writeGetTable(writer: NetlinkWriter, of: TableName): void {
  begin(writer, messages.getTable, 0, protocolOf(of)).text(table.name, of.name);
}

/** Asks for every rule of a chain; there is none in a chain that is not there. */
export function writeGetRules(
  writer: NetlinkWriter,
  family: Family,
  tableName: string,
  chainName: string,
): void {
  writer
    .message((NFNL_SUBSYS_NFTABLES << 8) | messages.getRule, NLM_F_REQUEST | NLM_F_DUMP)
    .netfilterHeader(family === 4 ? AF_INET : AF_INET6)
    .text(rule.table, tableName)
    .text(rule.chain, chainName);
}

/** The number of a table; no other ever has it again in its network namespace. */
export function readTableNumber({ view, start, end }: NetlinkMessage): bigint | undefined {
  let number: bigint | undefined;
  eachAttribute(view, start + GENERIC_HEADER, end, (type, from) => {
    if (type === table.number) number = view.getBigUint64(from);
  });
  return number;
}

export interface ReadRule {
  /** Its number in its table, and everything in it but its counter: one that replaces another takes its number over. */
  readonly identity: string;
  /** The chain that it leads to. */
  readonly jump: string | undefined;
  /** Whether it does so for every packet, as `-j CHAIN` alone. */
  readonly bare: boolean;
}

export function readRule({ view, start, end }: NetlinkMessage): ReadRule {
  const parts: string[] = [];
  let jump: string | undefined;
  let bare = true;
  const note = (from: number, to: number): void =>
    void parts.push(Buffer.from(readBytes(view, from, to)).toString("latin1"));
  eachAttribute(view, start + GENERIC_HEADER, end, (type, from, to) => {
    if (type === rule.number || type === rule.userData) note(from, to);
    if (type !== rule.expressions) return;
    eachAttribute(view, from, to, (_element, elementFrom, elementTo) => {
      const name = nameIn(view, elementFrom, elementTo);
      if (name === "counter") return;
      note(elementFrom, elementTo);
      if (name === "immediate") jump = jumpIn(view, elementFrom, elementTo) ?? jump;
      else bare = false;
    });
  });
  return { identity: parts.join("\n"), jump, bare };
}

function nameIn(view: DataView, start: number, end: number): string {
  let name = "";
  eachAttribute(view, start, end, (type, from, to) => {
    if (type === expression.name) name = readText(view, from, to);
  });
  return name;
}

function jumpIn(view: DataView, start: number, end: number): string | undefined {
  let chainName: string | undefined;
  const path: readonly number[] = [expression.data, IMMEDIATE_DATA, datum.verdict];
  const descend = (depth: number, from: number, to: number): void =>
    eachAttribute(view, from, to, (type, innerFrom, innerTo) => {
      if (type === path[depth]) descend(depth + 1, innerFrom, innerTo);
      else if (depth === path.length && type === VERDICT_CHAIN)
        chainName = readText(view, innerFrom, innerTo);
    });
  descend(0, start, end);
  return chainName;
}

/** Makes a base chain whose policy is accept. */
export function writeNewChain(writer: NetlinkWriter, spec: BaseChain): void {
  begin(writer, messages.newChain, NLM_F_CREATE, protocolOf(spec.table))
    .text(chain.table, spec.table.name)
    .text(chain.name, spec.name);
  writer
    .nest(chain.hook)
    .u32be(hook.number, hookNumbers[spec.hook])
    .u32be(hook.priority, spec.priority >>> 0)
    .end();
  writer.u32be(chain.policy, verdicts.accept).text(chain.type, spec.type);
}

/** Appends a rule to a chain. */
export function writeNewRule(
  writer: NetlinkWriter,
  of: TableName,
  chainName: string,
  expressions: readonly Expression[],
): void {
  begin(writer, messages.newRule, NLM_F_CREATE | NLM_F_APPEND, protocolOf(of))
    .text(rule.table, of.name)
    .text(rule.chain, chainName);
  writer.nest(rule.expressions);
  for (const write of expressions) write(writer);
  writer.end();
}

/** `ip daddr ADDRESS` */
export function destinationAddress(address: Uint8Array): Expression {
  return payloadIs(PAYLOAD_NETWORK, 16, address);
}

/** `meta l4proto NUMBER` */
export function transportProtocol(protocol: number): Expression {
  return metaIs(META_L4PROTO, Uint8Array.of(protocol));
}

/** `th dport PORT`, after transportProtocol(). */
export function destinationPort(port: number): Expression {
  return payloadIs(PAYLOAD_TRANSPORT, 2, portBytes(port));
}

/** `iif INDEX` */
export function inputInterface(index: number): Expression {
  return metaIs(META_IIF, hostBytes(index));
}

/** `oif INDEX` */
export function outputInterface(index: number): Expression {
  return metaIs(META_OIF, hostBytes(index));
}

/** `ip6 daddr ff02::/16`, in a table of both families */
export function linkLocalMulticast(): readonly Expression[] {
  return [
    metaIs(META_NFPROTO, Uint8Array.of(AF_INET6)),
    payloadIs(PAYLOAD_NETWORK, 24, Uint8Array.of(0xff, 2)),
  ];
}

/** `accept` or `drop` */
export function verdict(name: keyof typeof verdicts): Expression {
  return expressionOf("immediate", (writer) => {
    writer
      .u32be(1, REGISTER_VERDICT)
      .nest(2)
      .nest(datum.verdict)
      .u32be(VERDICT_CODE, verdicts[name])
      .end()
      .end();
  });
}

/** `dnat to ADDRESS:PORT` */
export function destinationNat(address: Uint8Array, port: number): Expression {
  return (writer) => {
    immediate(1, address)(writer);
    immediate(2, portBytes(port))(writer);
    expressionOf("nat", (inner) => inner.u32be(1, NAT_DNAT).u32be(2, AF_INET).u32be(3, 1).u32be(5, 2))(
      writer,
    );
  };
}

/** Loads bytes of a header into register 1 and compares. */
function payloadIs(base: number, offset: number, value: Uint8Array): Expression {
  return (writer) => {
    expressionOf("payload", (inner) =>
      inner.u32be(1, 1).u32be(2, base).u32be(3, offset).u32be(4, value.length),
    )(writer);
    registerIs(value)(writer);
  };
}

/** Loads a property of the packet into register 1 and compares. */
function metaIs(key: number, value: Uint8Array): Expression {
  return (writer) => {
    expressionOf("meta", (inner) => inner.u32be(1, 1).u32be(2, key))(writer);
    registerIs(value)(writer);
  };
}

function registerIs(value: Uint8Array): Expression {
  return expressionOf("cmp", (writer) =>
    writer.u32be(1, 1).u32be(2, 0).nest(3).value(datum.value, value).end(),
  );
}

function immediate(register: number, value: Uint8Array): Expression {
  return expressionOf("immediate", (writer) =>
    writer.u32be(1, register).nest(2).value(datum.value, value).end(),
  );
}

function expressionOf(name: string, writeData: (writer: NetlinkWriter) => void): Expression {
  return (writer) => {
    writer.nest(LIST_ELEMENT).text(expression.name, name).nest(expression.data);
    writeData(writer);
    writer.end().end();
  };
}

function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff);
}

function protocolOf({ family }: TableName): number {
  return family === "ip" ? AF_INET : NFPROTO_INET;
}

function begin(writer: NetlinkWriter, message: number, flags: number, protocol: number): NetlinkWriter {
  return writer
    .message((NFNL_SUBSYS_NFTABLES << 8) | message, NLM_F_REQUEST | NLM_F_ACK | flags)
    .netfilterHeader(protocol);
}
