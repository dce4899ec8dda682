// The part of nftables that the sandbox table needs, in the bytes of netlink: one batch, tables, base chains, and
// rules as lists of expressions.
// @see include/uapi/linux/netfilter/nf_tables.h, net/netfilter/nfnetlink.c (batch)

import type { Family } from "../../../core/model/address.ts";
import { AF_INET, AF_INET6 } from "../libc.ts";
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
} from "../netlink/message.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";

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
  deleteRule: 8,
  newSet: 9,
  newElement: 12,
  deleteElement: 14,
} as const;
const table = { name: 1, flags: 2, number: 4 } as const;
const chain = { table: 1, name: 3, hook: 4, policy: 5, type: 7 } as const;
const hook = { number: 1, priority: 2, device: 3, devices: 4 } as const;
const rule = { table: 1, chain: 2, number: 3, expressions: 4, userData: 7 } as const;
const set = { table: 1, name: 2, flags: 3, keyType: 4, keyLength: 5, id: 10, userData: 13 } as const;
const SET_TIMEOUT = 0x10;
const elements = { table: 1, set: 2, list: 3 } as const;
const element = { key: 1, timeout: 4 } as const;
const LIST_ELEMENT = 1;
const expression = { name: 1, data: 2 } as const;
const datum = { value: 1, verdict: 2 } as const;
const VERDICT_CODE = 1;
const VERDICT_CHAIN = 2;
const IMMEDIATE_DATA = 2;
/** struct nfgenmsg in front of the attributes. */
const GENERIC_HEADER = 4;
const COMPARE_EQUAL = 0;
const COMPARE_NOT_EQUAL = 1;
const REGISTER_VERDICT = 0;
const PAYLOAD_NETWORK = 1;
const PAYLOAD_TRANSPORT = 2;
const META_PROTOCOL = 1;
const META_MARK = 3;
const META_IIF = 4;
const META_OIF = 5;
const META_IIFNAME = 6;
const META_NFPROTO = 15;
const META_L4PROTO = 16;
const NAT_DNAT = 1;

/** Those of a device are counted apart (include/uapi/linux/netfilter.h). */
export const hookNumbers = { prerouting: 0, input: 1, output: 3, ingress: 0, egress: 1 } as const;
const verdicts = { drop: 0, accept: 1 } as const;

/** include/uapi/linux/netfilter.h: both families in one table. */
const NFPROTO_INET = 1;
/** What passes a device. */
const NFPROTO_NETDEV = 5;
/** What passes a bridge. */
const NFPROTO_BRIDGE = 7;
const protocols = {
  ip: AF_INET,
  ip6: AF_INET6,
  inet: NFPROTO_INET,
  netdev: NFPROTO_NETDEV,
  bridge: NFPROTO_BRIDGE,
} as const;

/** A table of ours, in its family. */
export interface TableName {
  readonly family: keyof typeof protocols;
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
  /** Name of the one that it hangs on, for ingress and egress. */
  readonly device?: string;
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

/** Asks for every rule of a chain, or of all chains; there is none in a chain that is not there. */
export function writeGetRules(writer: NetlinkWriter, of: TableName, chainName?: string): void {
  writer
    .message((NFNL_SUBSYS_NFTABLES << 8) | messages.getRule, NLM_F_REQUEST | NLM_F_DUMP)
    .netfilterHeader(protocolOf(of))
    .text(rule.table, of.name);
  if (chainName !== undefined) writer.text(rule.chain, chainName);
}

/** The chain that a rule is in. */
export function readRulePlace({ view, start, end }: NetlinkMessage): { readonly chain: string } {
  let name = "";
  eachAttribute(view, start + GENERIC_HEADER, end, (type, from, to) => {
    if (type === rule.chain) name = readText(view, from, to);
  });
  return { chain: name };
}

/** Asks for every chain of every table of a family. */
export function writeGetChains(writer: NetlinkWriter, { family }: Pick<TableName, "family">): void {
  writer
    .message((NFNL_SUBSYS_NFTABLES << 8) | messages.getChain, NLM_F_REQUEST | NLM_F_DUMP)
    .netfilterHeader(protocols[family]);
}

export interface ReadChain {
  readonly table: string;
  readonly name: string;
  /** The one that it hangs on; undefined when that is gone. */
  readonly device: string | undefined;
}

export function readChain({ view, start, end }: NetlinkMessage): ReadChain {
  const found: { table: string; name: string; device: string | undefined } = {
    table: "",
    name: "",
    device: undefined,
  };
  eachAttribute(view, start + GENERIC_HEADER, end, (type, from, to) => {
    if (type === chain.table) found.table = readText(view, from, to);
    if (type === chain.name) found.name = readText(view, from, to);
    if (type === chain.hook) found.device = deviceIn(view, from, to);
  });
  return found;
}

/** A list of devices, of which one says by itself that there is no other. */
function deviceIn(view: DataView, start: number, end: number): string | undefined {
  let device: string | undefined;
  eachAttribute(view, start, end, (type, from, to) => {
    if (type === hook.device) device = readText(view, from, to);
    if (type !== hook.devices) return;
    eachAttribute(view, from, to, (_element, nameFrom, nameTo) => {
      device ??= readText(view, nameFrom, nameTo);
    });
  });
  return device;
}

/** Takes every rule out of a chain. */
export function writeFlushChain(writer: NetlinkWriter, of: TableName, chainName: string): void {
  begin(writer, messages.deleteRule, 0, protocolOf(of)).text(rule.table, of.name).text(rule.chain, chainName);
}

export function writeDeleteChain(writer: NetlinkWriter, of: TableName, chainName: string): void {
  begin(writer, messages.deleteChain, 0, protocolOf(of))
    .text(chain.table, of.name)
    .text(chain.name, chainName);
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
    .u32be(hook.priority, spec.priority >>> 0);
  if (spec.device !== undefined) writer.text(hook.device, spec.device);
  writer.end();
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

/** What a set is of, by its number in the tool `nft`, its length in bytes, and their order. */
const keyTypes = {
  iface_index: { type: 20, length: 4, order: 1 },
  ether_type: { type: 10, length: 2, order: 2 },
} as const;

export interface SetDefinition {
  readonly table: TableName;
  readonly name: string;
  readonly type: keyof typeof keyTypes;
  /** Whether its elements run out. */
  readonly timeout: boolean;
}

/** Makes a set. @param id of its own among those of one batch */
export function writeNewSet(writer: NetlinkWriter, spec: SetDefinition, id: number): void {
  const { type, length, order } = keyTypes[spec.type];
  begin(writer, messages.newSet, NLM_F_CREATE, protocolOf(spec.table))
    .text(set.table, spec.table.name)
    .text(set.name, spec.name)
    .u32be(set.flags, spec.timeout ? SET_TIMEOUT : 0)
    .u32be(set.keyType, type)
    .u32be(set.keyLength, length)
    .u32be(set.id, id)
    // For those who list it: whether its keys are in the order of the host (1) or of the network (2).
    .value(set.userData, Uint8Array.of(0, 4, ...hostBytes(order)));
}

export interface SetElements {
  readonly table: TableName;
  readonly set: string;
  readonly keys: readonly Uint8Array[];
  readonly timeoutMs?: number;
}

export function writeAddElements(writer: NetlinkWriter, added: SetElements): void {
  writeElements(begin(writer, messages.newElement, NLM_F_CREATE, protocolOf(added.table)), added);
}

/** One that is not there is an error. */
export function writeDeleteElements(writer: NetlinkWriter, deleted: SetElements): void {
  writeElements(begin(writer, messages.deleteElement, 0, protocolOf(deleted.table)), deleted);
}

/** Takes every element out of a set. */
export function writeFlushSet(writer: NetlinkWriter, of: TableName, setName: string): void {
  begin(writer, messages.deleteElement, 0, protocolOf(of))
    .text(elements.table, of.name)
    .text(elements.set, setName);
}

function writeElements(writer: NetlinkWriter, { table: of, set: name, keys, timeoutMs }: SetElements): void {
  writer.text(elements.table, of.name).text(elements.set, name).nest(elements.list);
  for (const key of keys) {
    writer.nest(LIST_ELEMENT).nest(element.key).value(datum.value, key).end();
    if (timeoutMs !== undefined) writer.value(element.timeout, longBytes(timeoutMs));
    writer.end();
  }
  writer.end();
}

function longBytes(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** `meta protocol NUMBER`: what a frame carries, in a table of devices */
export function frameProtocol(type: number): Expression {
  return metaIs(META_PROTOCOL, portBytes(type));
}

/** Where an address lies in a header. */
export const addressAt = { ipSource: 12, ip6Source: 8, arpSender: 14, arpTarget: 24 } as const;

/** `ip saddr PREFIX` and the like; @param bits its length */
export function addressIn(at: keyof typeof addressAt, address: Uint8Array, bits: number): Expression {
  return payloadIn({ base: PAYLOAD_NETWORK, offset: addressAt[at] }, address, bits);
}

/** What a message of neighbour discovery is about is not in PREFIX; after messageType(). */
export function targetNotIn(address: Uint8Array, bits: number): Expression {
  return payloadIn({ base: PAYLOAD_TRANSPORT, offset: 8, how: COMPARE_NOT_EQUAL }, address, bits);
}

/** `ip6 nexthdr NUMBER` */
export function nextHeader(protocol: number): Expression {
  return payloadIs(PAYLOAD_NETWORK, 6, Uint8Array.of(protocol));
}

/** `icmpv6 type TYPE`, after transportProtocol(). */
export function messageType(type: number): Expression {
  return payloadIs(PAYLOAD_TRANSPORT, 0, Uint8Array.of(type));
}

/** `meta mark set meta mark or BITS` */
export function setMarkBits(bits: number): Expression {
  return (writer) => {
    loadMeta(META_MARK)(writer);
    bitwise(hostBytes(~bits), hostBytes(bits))(writer);
    storeMark(writer);
  };
}

/** `meta mark set meta iif or BITS`; indexes of interfaces have no such bits */
export function setMarkToInput(bits: number): Expression {
  return (writer) => {
    loadMeta(META_IIF)(writer);
    bitwise(hostBytes(~bits), hostBytes(bits))(writer);
    storeMark(writer);
  };
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

/** `iif != INDEX` */
export function otherInputInterface(index: number): Expression {
  return metaIs(META_IIF, hostBytes(index), COMPARE_NOT_EQUAL);
}

/** `iifname "PREFIX*"` */
export function inputNameBegins(prefix: string): Expression {
  return metaIs(META_IIFNAME, Buffer.from(prefix));
}

/** `iif @SET`, of a set of `iface_index` */
export function inputInterfaceIn(setName: string): Expression {
  return metaIn(META_IIF, setName);
}

/** `meta protocol @SET`, of a set of `ether_type` */
export function frameProtocolIn(setName: string): Expression {
  return metaIn(META_PROTOCOL, setName);
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

interface PayloadPlace {
  readonly base: number;
  readonly offset: number;
  readonly how?: number;
}

/** Loads bytes of a header into register 1 and compares. */
function payloadIs(base: number, offset: number, value: Uint8Array): Expression {
  return payloadIn({ base, offset }, value, value.length * 8);
}

/** The same with the first bits of them only. */
function payloadIn({ base, offset, how }: PayloadPlace, value: Uint8Array, bits: number): Expression {
  const mask = value.map((_, index) => (0xff00 >> Math.min(8, Math.max(0, bits - index * 8))) & 0xff);
  return (writer) => {
    expressionOf("payload", (inner) =>
      inner.u32be(1, 1).u32be(2, base).u32be(3, offset).u32be(4, value.length),
    )(writer);
    if (bits < value.length * 8) bitwise(mask, new Uint8Array(value.length))(writer);
    registerIs(value, how)(writer);
  };
}

/** Keeps the bits of `mask` in register 1, and turns those of `flip`. */
function bitwise(mask: Uint8Array, flip: Uint8Array): Expression {
  return expressionOf("bitwise", (writer) => {
    writer.u32be(1, 1).u32be(2, 1).u32be(3, mask.length);
    writer.nest(4).value(datum.value, mask).end();
    writer.nest(5).value(datum.value, flip).end();
  });
}

/** Loads a property of the packet into register 1 and compares. */
function metaIs(key: number, value: Uint8Array, how: number = COMPARE_EQUAL): Expression {
  return (writer) => {
    loadMeta(key)(writer);
    registerIs(value, how)(writer);
  };
}

function loadMeta(key: number): Expression {
  return expressionOf("meta", (writer) => writer.u32be(1, 1).u32be(2, key));
}

function storeMark(writer: NetlinkWriter): void {
  expressionOf("meta", (inner) => inner.u32be(2, META_MARK).u32be(3, 1))(writer);
}

function metaIn(key: number, setName: string): Expression {
  return (writer) => {
    loadMeta(key)(writer);
    expressionOf("lookup", (inner) => inner.text(1, setName).u32be(2, 1))(writer);
  };
}

function registerIs(value: Uint8Array, how: number = COMPARE_EQUAL): Expression {
  return expressionOf("cmp", (writer) =>
    writer.u32be(1, 1).u32be(2, how).nest(3).value(datum.value, value).end(),
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
  return protocols[family];
}

function begin(writer: NetlinkWriter, message: number, flags: number, protocol: number): NetlinkWriter {
  return writer
    .message((NFNL_SUBSYS_NFTABLES << 8) | message, NLM_F_REQUEST | NLM_F_ACK | flags)
    .netfilterHeader(protocol);
}
