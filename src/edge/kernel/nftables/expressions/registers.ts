// What works on the registers of a rule: they are loaded, changed, and compared. All other expressions are made of these.
// @see include/uapi/linux/netfilter/nf_tables.h

import type { NetlinkWriter } from "../../netlink/writer.ts";
import { COMPARE_EQUAL, compare, datum, expression, immediateOf, LIST_ELEMENT } from "../numbers.ts";

/** Those for values, of sixteen bytes. */
export const REGISTER_1 = 1;
export const REGISTER_2 = 2;
/** NFTA_BITWISE_… */
const bitwiseOf = { source: 1, register: 2, length: 3, mask: 4, flip: 5 } as const;
/** NFT_CMP_NEQ */
export const COMPARE_NOT_EQUAL = 1;
/** NFT_CMP_GTE */
export const COMPARE_AT_LEAST = 5;

/** One expression of a rule, written when its rule is. */
export type Expression = (writer: NetlinkWriter) => void;

/** Loads a value into a register. */
export function immediate(register: number, value: Uint8Array): Expression {
  return expressionOf("immediate", (writer) =>
    writer.u32be(immediateOf.register, register).nest(immediateOf.data).value(datum.value, value).end(),
  );
}

/** Keeps the bits of `mask` in register 1, and turns those of `flip`. */
export function bitwise(mask: Uint8Array, flip: Uint8Array): Expression {
  return expressionOf("bitwise", (writer) => {
    writer
      .u32be(bitwiseOf.source, REGISTER_1)
      .u32be(bitwiseOf.register, REGISTER_1)
      .u32be(bitwiseOf.length, mask.length);
    writer.nest(bitwiseOf.mask).value(datum.value, mask).end();
    writer.nest(bitwiseOf.flip).value(datum.value, flip).end();
  });
}

/** Goes on only where register 1 has this value, or compares so with it. */
export function registerIs(value: Uint8Array, how: number = COMPARE_EQUAL): Expression {
  return expressionOf("cmp", (writer) =>
    writer
      .u32be(compare.register, REGISTER_1)
      .u32be(compare.operation, how)
      .nest(compare.data)
      .value(datum.value, value)
      .end(),
  );
}

/** An expression of this name, with its attributes. */
export function expressionOf(name: string, writeData: (writer: NetlinkWriter) => void): Expression {
  return (writer) => {
    writer.nest(LIST_ELEMENT).text(expression.name, name).nest(expression.data);
    writeData(writer);
    writer.end().end();
  };
}

/** A number of 16 bits as packets have it: a port, or what a frame carries. */
export function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff);
}
