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
  verdicts,
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
  /** Whether it drops them. */
  readonly drops: boolean;
}

export function readSender(message: NetlinkMessage): ReadSender {
  const { view, start, end } = message;
  let source: Uint8Array | undefined;
  let drops = false;
  /** Whether the expression before has loaded all of the source address. */
  let isLoaded = false;
  eachAttribute(view, start + GENERIC_HEADER, end, (type, from, to) => {
    if (type !== rule.expressions) return;
    eachAttribute(view, from, to, (_element, elementFrom, elementTo) => {
      const of: Part = { view, from: elementFrom, to: elementTo };
      const name = nameIn(view, elementFrom, elementTo);
      if (isLoaded && name === "cmp") source = comparedWith(of) ?? source;
      isLoaded = name === "payload" && loadsSource(of);
      if (name === "immediate")
        drops =
          numberAt(of, expression.data, immediateOf.data, datum.verdict, verdictOf.code) === verdicts.drop;
    });
  });
  return { ...readRulePlace(message), source, drops };
}

function loadsSource(of: Part): boolean {
  const [base, offset, length] = [payload.base, payload.offset, payload.length].map((each) =>
    numberAt(of, expression.data, each),
  );
  if (base !== PAYLOAD_NETWORK) return false;
  return length === 4 ? offset === addressAt.ipSource : length === 16 && offset === addressAt.ip6Source;
}

/** What must be the same; undefined where something must differ. */
function comparedWith(of: Part): Uint8Array | undefined {
  if (numberAt(of, expression.data, compare.operation) !== COMPARE_EQUAL) return undefined;
  const value = partAt(of, expression.data, compare.data, datum.value);
  return value && readBytes(value.view, value.from, value.to);
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

/** The flags of a table, as a sum of bits. */
export function readTableFlags({ view, start, end }: NetlinkMessage): number {
  let flags = 0;
  eachAttribute(view, start + GENERIC_HEADER, end, (type, from) => {
    if (type === table.flags) flags = view.getUint32(from);
  });
  return flags;
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

function jumpIn(view: DataView, from: number, to: number): string | undefined {
  const path = [expression.data, immediateOf.data, datum.verdict, verdictOf.chain];
  const name = partAt({ view, from, to }, ...path);
  return name && readText(view, name.from, name.to);
}

/** Part of a message. */
interface Part {
  readonly view: DataView;
  readonly from: number;
  readonly to: number;
}

/** The attribute that one gets to by these, each within the one before. */
function partAt(of: Part, ...[type, ...within]: readonly number[]): Part | undefined {
  if (type === undefined) return of;
  let found: Part | undefined;
  eachAttribute(of.view, of.from, of.to, (each, from, to) => {
    if (each === type) found ??= partAt({ view: of.view, from, to }, ...within);
  });
  return found;
}

function numberAt(of: Part, ...path: readonly number[]): number | undefined {
  const part = partAt(of, ...path);
  return part?.view.getUint32(part.from);
}
