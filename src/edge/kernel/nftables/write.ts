// Messages to nftables, in the bytes of netlink: one batch with tables, base chains, and rules as lists of expressions.
// @see include/uapi/linux/netfilter/nf_tables.h, net/netfilter/nfnetlink.c (batch)

import type { Family } from "../../../core/model/address.ts";
import { AF_INET, AF_INET6 } from "../libc.ts";
import {
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_NONREC,
  NLM_F_REQUEST,
} from "../netlink/message.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import type { Expression } from "./expressions/registers.ts";
import {
  chain,
  hook,
  hookNumbers,
  messages,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  type NftTable,
  protocols,
  rule,
  table,
  verdicts,
} from "./numbers.ts";

export interface BaseChain {
  readonly table: NftTable;
  readonly name: string;
  readonly type: "nat" | "filter";
  readonly hook: keyof typeof hookNumbers;
  readonly priority: number;
  /** Name of the one that it hangs on, for ingress and egress. */
  readonly device?: string;
}

/**
 * Everything that `content` writes happens together or not at all. One acknowledgement is asked for, of the last message:
 * each is read by a system call of its own, and the kernel reports what it refuses of the others in any case.
 */
export function writeBatch(writer: NetlinkWriter, content: () => void): void {
  writer.message(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST).netfilterHeader(0, NFNL_SUBSYS_NFTABLES);
  const empty = writer.length;
  content();
  if (writer.length > empty) writer.acknowledge();
  writer.message(NFNL_MSG_BATCH_END, NLM_F_REQUEST).netfilterHeader(0, NFNL_SUBSYS_NFTABLES);
}

/** NFT_TABLE_F_DORMANT: its chains are in no hook of the kernel, and read as ever. */
export const DORMANT = 1;

/**
 * What a table may be: changed by nobody but the socket that made it, while that is open; and not gone with it.
 * The first is of Linux 5.12, the second of 6.9.
 */
export const tableFlags = { none: 0, owned: 2, persistent: 4 } as const;

/** Makes a table if it is not there. @param flags sum of tableFlags */
export function writeNewTable(writer: NetlinkWriter, of: NftTable, flags: number = tableFlags.none): void {
  begin(writer, messages.newTable, NLM_F_CREATE, protocolOf(of)).text(table.name, of.name);
  if (flags !== tableFlags.none) writer.u32be(table.flags, flags);
}

/** Gives a table that is there other flags. @param flags sum of all that it is to have */
export function writeTableFlags(writer: NetlinkWriter, of: NftTable, flags: number): void {
  begin(writer, messages.newTable, 0, protocolOf(of)).text(table.name, of.name).u32be(table.flags, flags);
}

export function writeDeleteTable(writer: NetlinkWriter, of: NftTable): void {
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
  begin(writer, message, NLM_F_ACK, protocol).text(table.name, tableName);
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

export function writeGetTable(writer: NetlinkWriter, of: NftTable): void {
  begin(writer, messages.getTable, NLM_F_ACK, protocolOf(of)).text(table.name, of.name);
}

/** Asks for every rule of a chain, or of all chains; there is none in a chain that is not there. */
export function writeGetRules(writer: NetlinkWriter, of: NftTable, chainName?: string): void {
  writer
    .message((NFNL_SUBSYS_NFTABLES << 8) | messages.getRule, NLM_F_REQUEST | NLM_F_DUMP)
    .netfilterHeader(protocolOf(of))
    .text(rule.table, of.name);
  if (chainName !== undefined) writer.text(rule.chain, chainName);
}

/** Asks for every chain of every table of a family. */
export function writeGetChains(writer: NetlinkWriter, { family }: Pick<NftTable, "family">): void {
  writer
    .message((NFNL_SUBSYS_NFTABLES << 8) | messages.getChain, NLM_F_REQUEST | NLM_F_DUMP)
    .netfilterHeader(protocols[family]);
}

/** Takes every rule out of a chain. */
export function writeFlushChain(writer: NetlinkWriter, of: NftTable, chainName: string): void {
  begin(writer, messages.deleteRule, 0, protocolOf(of)).text(rule.table, of.name).text(rule.chain, chainName);
}

export function writeDeleteChain(writer: NetlinkWriter, of: NftTable, chainName: string): void {
  begin(writer, messages.deleteChain, 0, protocolOf(of))
    .text(chain.table, of.name)
    .text(chain.name, chainName);
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

/** Makes a chain that no packet comes to, if it is not there. */
export function writeEmptyChain(writer: NetlinkWriter, of: NftTable, chainName: string): void {
  begin(writer, messages.newChain, NLM_F_CREATE, protocolOf(of))
    .text(chain.table, of.name)
    .text(chain.name, chainName);
}

/** Appends a rule to a chain. */
export function writeNewRule(
  writer: NetlinkWriter,
  of: NftTable,
  chainName: string,
  expressions: readonly Expression[],
): void {
  begin(writer, messages.newRule, NLM_F_CREATE | NLM_F_APPEND, protocolOf(of));
  writeRule(writer.text(rule.table, of.name).text(rule.chain, chainName), expressions);
}

/** Puts a rule before all others of a chain. */
export function writeFirstRule(
  writer: NetlinkWriter,
  of: NftTable,
  chainName: string,
  expressions: readonly Expression[],
): void {
  begin(writer, messages.newRule, NLM_F_CREATE, protocolOf(of));
  writeRule(writer.text(rule.table, of.name).text(rule.chain, chainName), expressions);
}

function writeRule(writer: NetlinkWriter, expressions: readonly Expression[]): void {
  writer.nest(rule.expressions);
  for (const write of expressions) write(writer);
  writer.end();
}

function protocolOf({ family }: NftTable): number {
  return protocols[family];
}

/** Begins a message to nftables. @param flags beside that of a request */
export function begin(
  writer: NetlinkWriter,
  message: number,
  flags: number,
  protocol: number,
): NetlinkWriter {
  return writer
    .message((NFNL_SUBSYS_NFTABLES << 8) | message, NLM_F_REQUEST | flags)
    .netfilterHeader(protocol);
}
