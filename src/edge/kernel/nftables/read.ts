// What nftables reports about tables, chains and rules.
// @see include/uapi/linux/netfilter/nf_tables.h

import { eachAttribute, type NetlinkMessage, readBytes, readText } from "../netlink/message.ts";
import {
  addressAt,
  COMPARE_EQUAL,
  chain,
  compare,
  datum,
  expression,
  GENERIC_HEADER,
  hook,
  immediateOf,
  PAYLOAD_NETWORK,
  payload,
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

export interface ReadSender {
  readonly chain: string;
  /** The one address that packets must come from for the rule to apply to them, if there is one. */
  readonly source: Uint8Array | undefined;
}

export function readSender(message: NetlinkMessage): ReadSender {
  const { view, start, end } = message;
  let source: Uint8Array | undefined;
  /** What the expression before has loaded. */
  let loaded: "source" | "other" = "other";
  eachAttribute(view, start + GENERIC_HEADER, end, (type, from, to) => {
    if (type !== rule.expressions) return;
    eachAttribute(view, from, to, (_element, elementFrom, elementTo) => {
      const name = nameIn(view, elementFrom, elementTo);
      if (loaded === "source" && name === "cmp") source = valueIn(view, elementFrom, elementTo) ?? source;
      loaded = name === "payload" && isSource(view, elementFrom, elementTo) ? "source" : "other";
    });
  });
  return { ...readRulePlace(message), source };
}

/** Whether all of the source address of an IP packet is loaded. */
function isSource(view: DataView, start: number, end: number): boolean {
  const numbers = new Map<number, number>();
  eachAttribute(view, start, end, (type, from, to) => {
    if (type === expression.data)
      eachAttribute(view, from, to, (inner, innerFrom) => numbers.set(inner, view.getUint32(innerFrom)));
  });
  if (numbers.get(payload.base) !== PAYLOAD_NETWORK) return false;
  const [offset, length] = [numbers.get(payload.offset), numbers.get(payload.length)];
  return (offset === addressAt.ipSource && length === 4) || (offset === addressAt.ip6Source && length === 16);
}

/** What is compared for being the same. */
function valueIn(view: DataView, start: number, end: number): Uint8Array | undefined {
  let value: Uint8Array | undefined;
  let isEqual = false;
  eachAttribute(view, start, end, (type, from, to) => {
    if (type !== expression.data) return;
    eachAttribute(view, from, to, (inner, innerFrom, innerTo) => {
      if (inner === compare.operation) isEqual = view.getUint32(innerFrom) === COMPARE_EQUAL;
      if (inner !== compare.data) return;
      eachAttribute(view, innerFrom, innerTo, (part, partFrom, partTo) => {
        if (part === datum.value) value = readBytes(view, partFrom, partTo);
      });
    });
  });
  return isEqual ? value : undefined;
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
