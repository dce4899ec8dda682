// What nftables reports about tables, chains and rules.
// @see include/uapi/linux/netfilter/nf_tables.h

import { eachAttribute, type NetlinkMessage, readBytes, readText } from "../netlink/message.ts";
import {
  chain,
  datum,
  expression,
  GENERIC_HEADER,
  hook,
  immediateOf,
  rule,
  table,
  verdictOf,
} from "./numbers.ts";

/** The chain that a rule is in. */
export function readRulePlace({ view, start, end }: NetlinkMessage): { readonly chain: string } {
  let name = "";
  eachAttribute(view, start + GENERIC_HEADER, end, (type, from, to) => {
    if (type === rule.chain) name = readText(view, from, to);
  });
  return { chain: name };
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
  const path: readonly number[] = [expression.data, immediateOf.data, datum.verdict];
  const descend = (depth: number, from: number, to: number): void =>
    eachAttribute(view, from, to, (type, innerFrom, innerTo) => {
      if (type === path[depth]) descend(depth + 1, innerFrom, innerTo);
      else if (depth === path.length && type === verdictOf.chain)
        chainName = readText(view, innerFrom, innerTo);
    });
  descend(0, start, end);
  return chainName;
}
