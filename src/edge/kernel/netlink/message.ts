// The bytes of netlink: messages, their attributes, and how to read them. Numbers in headers are in host order; those
// in attributes are in the subsystem's order, so the method's name says which.
// @see netlink(7), include/net/netlink.h, include/uapi/linux/netfilter/nfnetlink.h

import { endianness } from "node:os";

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
/** NLM_F_ROOT | NLM_F_MATCH. */
export const NLM_F_DUMP = 0x300;
/** On a request to remove: refuse when there is something inside. */
export const NLM_F_NONREC = 0x100;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

/** Flag on an attribute's type: its value is in network order. ipset refuses numbers without it. */
export const NLA_F_NET_BYTEORDER = 0x4000;
export const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

export const HEADER_SIZE = 16;
export const ATTRIBUTE_HEADER_SIZE = 4;
/** Of this machine. */
export const littleEndian = endianness() === "LE";

/** Where a message lies in a buffer. Valid only while that buffer is. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly view: DataView;
  /** Of the payload. */
  readonly start: number;
  readonly end: number;
}

/** Calls `visit` for each whole message in the first `length` bytes. */
export function eachMessage(view: DataView, length: number, visit: (message: NetlinkMessage) => void): void {
  let at = 0;
  while (at + HEADER_SIZE <= length) {
    const size = view.getUint32(at, littleEndian);
    if (size < HEADER_SIZE || at + size > length) return;
    visit({
      type: view.getUint16(at + 4, littleEndian),
      flags: view.getUint16(at + 6, littleEndian),
      sequence: view.getUint32(at + 8, littleEndian),
      view,
      start: at + HEADER_SIZE,
      end: at + size,
    });
    at += align(size);
  }
}

/** Calls `visit` with type (without flags), start and end of the value of each attribute between two offsets. */
export function eachAttribute(
  view: DataView,
  start: number,
  end: number,
  visit: (type: number, start: number, end: number) => void,
): void {
  let at = start;
  while (at + ATTRIBUTE_HEADER_SIZE <= end) {
    const size = view.getUint16(at, littleEndian);
    if (size < ATTRIBUTE_HEADER_SIZE || at + size > end) return;
    visit(view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK, at + ATTRIBUTE_HEADER_SIZE, at + size);
    at += align(size);
  }
}

/**
 * Gives every message in the bytes its sequence number, counting up from `first`.
 * @returns for each whether it is answered in any case; of the others only a refusal is heard
 */
export function numberMessages(bytes: Uint8Array, first: number): readonly boolean[] {
  const view = viewOf(bytes);
  const answered: boolean[] = [];
  for (let at = 0; at < bytes.length; at += align(view.getUint32(at, littleEndian))) {
    view.setUint32(at + 8, (first + answered.length) >>> 0, littleEndian);
    answered.push(isAnswered(view.getUint16(at + 6, littleEndian)));
  }
  return answered;
}

/** The bits of a dump say something else on requests that write, one by one. */
function isAnswered(flags: number): boolean {
  return (flags & NLM_F_ACK) !== 0 || (flags & NLM_F_DUMP) === NLM_F_DUMP;
}

/** Text of an attribute, up to its NUL. */
export function readText(view: DataView, start: number, end: number): string {
  const bytes = Buffer.from(view.buffer, view.byteOffset + start, end - start);
  const nul = bytes.indexOf(0);
  return bytes.toString("utf8", 0, nul < 0 ? bytes.length : nul);
}

/** A copy of the bytes between two offsets. */
export function readBytes(view: DataView, start: number, end: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + start, end - start).slice();
}

/** A number of 32 bits in host order. */
export function readHostInt(view: DataView, at: number): number {
  return view.getInt32(at, littleEndian);
}

/** The bytes of a number of 32 bits in host order. */
export function hostBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, littleEndian);
  return bytes;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Messages and attributes begin at multiples of 4 bytes. */
export function align(size: number): number {
  return (size + 3) & ~3;
}
