// From records to the bytes of a response: owner names and the names in old types are compressed, and records that do
// not fit are cut by whole rrsets with TC set (RFC 2181 9).

import { pooled } from "../../pooled.ts";
import {
  classIn,
  type ExtendedError,
  extendedErrorOption,
  flagBits,
  headerLength,
  maxTcpPayload,
  maxUdpPayload,
  plainUdpPayload,
  type Rcode,
} from "./codes.ts";
import type { Name } from "./name.ts";
import type { Edns, Head } from "./question.ts";
import { recordType, types } from "./record-types.ts";
import { writeWord } from "./words.ts";

/** Rdata is kept in parts, so that the names in it can be compressed anew at another offset. */
export interface ResourceRecord {
  readonly owner: Name;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdata: readonly (Uint8Array | Name)[];
}

export interface ResponseContent {
  readonly head: Head;
  readonly rcode: Rcode;
  /** Records of one rrset stand together. */
  readonly answer: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  /** Shown only to a client that sent EDNS, and only where it fits. */
  readonly extendedError: ExtendedError | undefined;
  /** Bytes that the message may have; see `payloadLimit`. */
  readonly limit: number;
}

export type Transport = "udp" | "tcp";

/** Bytes that a response to this query may have. */
export function payloadLimit(edns: Edns | undefined, transport: Transport): number {
  if (transport === "tcp") return maxTcpPayload;
  if (edns === undefined) return plainUdpPayload;
  return Math.min(maxUdpPayload, Math.max(plainUdpPayload, edns.payloadSize));
}

/** Renders a response: the client's id, question bytes, RD and CD; RA set; never AA or AD, as we vouch for nothing. */
export function renderResponse(content: ResponseContent): Uint8Array {
  const { head, rcode } = content;
  const optAtMost = content.extendedError === undefined ? optLength : maxOptLength;
  const size = Math.min(content.limit, upperBound(content) + optAtMost);
  const { questionBytes } = head;
  const output: Output = { bytes: pooled(size), length: 0, questionBytes, suffixes: undefined };
  output.length = headerLength;
  output.bytes.set(questionBytes, headerLength);
  output.length += questionBytes.length;
  const room = content.limit - (head.edns === undefined ? 0 : optLength);
  const answered = writeSection(output, content.answer, room);
  const complete = answered === content.answer.length;
  const authorized = complete ? writeSection(output, content.authority, room) : 0;
  const truncated = !complete || authorized < content.authority.length;
  if (head.edns !== undefined) writeOptWithError(output, content);
  writeWord(output.bytes, 0, head.id);
  writeWord(output.bytes, 2, responseFlags(head, rcode, truncated));
  writeWord(output.bytes, 4, head.questionBytes.length > 0 ? 1 : 0);
  writeWord(output.bytes, 6, answered);
  writeWord(output.bytes, 8, authorized);
  writeWord(output.bytes, 10, head.edns === undefined ? 0 : 1);
  return output.bytes.subarray(0, output.length);
}

/** The second word of the header of a response. */
export function responseFlags({ flags }: Head, rcode: Rcode, truncated: boolean): number {
  const repeated = flagBits.opcode | flagBits.recursionDesired | flagBits.checkingDisabled;
  return (
    flagBits.response |
    flagBits.recursionAvailable |
    (flags & repeated) |
    (truncated ? flagBits.truncated : 0) |
    (rcode & flagBits.rcode)
  );
}

/** Bytes of our OPT record without options. */
export const optLength = 11;
const maxOptLength = optLength + 6 + 200;

interface Output {
  readonly bytes: Uint8Array;
  length: number;
  /** Where most names point to. */
  readonly questionBytes: Uint8Array;
  /** Offset of the other names, by their keys; only offsets that a pointer can hold. */
  suffixes: Map<string, number> | undefined;
}

function upperBound({ head, answer, authority }: ResponseContent): number {
  let bound = headerLength + head.questionBytes.length;
  for (const section of [answer, authority]) {
    for (const record of section) {
      bound += record.owner.wire.length + 10;
      for (const part of record.rdata) bound += isName(part) ? part.wire.length : part.length;
    }
  }
  return bound;
}

function isName(part: Uint8Array | Name): part is Name {
  return "wire" in part;
}

/** Writes whole rrsets while they fit in `room`; how many records were written. */
function writeSection(output: Output, records: readonly ResourceRecord[], room: number): number {
  let written = 0;
  while (written < records.length) {
    const start = output.length;
    let next = written;
    do {
      const record = records[next];
      if (record === undefined || !writeRecord(output, record, room)) {
        output.length = start;
        // Nothing may point to what stands there no more.
        for (const [suffix, offset] of output.suffixes ?? [])
          if (offset >= start) output.suffixes?.delete(suffix);
        return written;
      }
      next++;
    } while (next < records.length && sameRrset(records[written], records[next]));
    written = next;
  }
  return written;
}

function sameRrset(a: ResourceRecord | undefined, b: ResourceRecord | undefined): boolean {
  return a !== undefined && b !== undefined && a.type === b.type && a.owner.key === b.owner.key;
}

function writeRecord(output: Output, record: ResourceRecord, room: number): boolean {
  if (!writeName(output, record.owner, room, true)) return false;
  const fixed = output.length;
  if (fixed + 10 > room) return false;
  writeWord(output.bytes, fixed, record.type);
  writeWord(output.bytes, fixed + 2, classIn);
  writeWord(output.bytes, fixed + 4, record.ttlSeconds >>> 16);
  writeWord(output.bytes, fixed + 6, record.ttlSeconds & 0xffff);
  output.length = fixed + 10;
  const compress = recordType(record.type)?.compressed === true;
  for (const part of record.rdata) {
    if (isName(part)) {
      if (!writeName(output, part, room, compress)) return false;
    } else {
      if (output.length + part.length > room) return false;
      output.bytes.set(part, output.length);
      output.length += part.length;
    }
  }
  writeWord(output.bytes, fixed + 8, output.length - fixed - 10);
  return true;
}

function writeName(output: Output, name: Name, room: number, compress: boolean): boolean {
  const { wire, key } = name;
  let start = 0;
  let pointer: number | undefined;
  while (start < wire.length - 1) {
    const known = placeInQuestion(output.questionBytes, key, start) ?? placeOf(output, key, start);
    if (compress) pointer = known;
    if (pointer !== undefined) break;
    if (known === undefined) remember(output, key, start);
    start += 1 + (wire[start] ?? 0);
  }
  const length = pointer === undefined ? wire.length : start + 2;
  if (output.length + length > room) return false;
  output.bytes.set(pointer === undefined ? wire : wire.subarray(0, start), output.length);
  if (pointer !== undefined) writeWord(output.bytes, output.length + start, 0xc000 | pointer);
  output.length += length;
  return true;
}

/** Where the name that begins at `start` of a key stands in the question; undefined where it does not. */
function placeInQuestion(question: Uint8Array, key: string, start: number): number | undefined {
  // Behind the name there are type and class.
  const at = question.length - 4 - (key.length - start);
  let label = 0;
  while (label < at) label += 1 + (question[label] ?? 0);
  if (label !== at) return undefined;
  for (let index = start; index < key.length; index++) {
    const byte = question[at + index - start] ?? 0;
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (folded !== key.charCodeAt(index)) return undefined;
  }
  return headerLength + at;
}

function placeOf({ suffixes }: Output, key: string, start: number): number | undefined {
  return suffixes?.get(key.slice(start));
}

function remember(output: Output, key: string, start: number): void {
  const offset = output.length + start;
  if (offset >= 0x4000) return;
  output.suffixes ??= new Map();
  output.suffixes.set(key.slice(start), offset);
}

/** Writes our OPT record, but for its options. @param options bytes that they take */
export function writeOpt(bytes: Uint8Array, at: number, rcode: Rcode, options: number): void {
  bytes[at] = 0;
  writeWord(bytes, at + 1, types.opt);
  writeWord(bytes, at + 3, maxUdpPayload);
  bytes[at + 5] = rcode >> 4;
  bytes[at + 6] = 0;
  // DO stays clear: no signatures go along, and a client that validates when it can then does without (RFC 3225).
  writeWord(bytes, at + 7, 0);
  writeWord(bytes, at + 9, options);
}

function writeOptWithError(output: Output, { rcode, extendedError, limit }: ResponseContent): void {
  const { bytes, length } = output;
  const text = extendedError === undefined ? noText : encodeText(extendedError.text);
  const options = extendedError === undefined || length + 17 + text.length > limit ? 0 : 6 + text.length;
  writeOpt(bytes, length, rcode, options);
  output.length = length + optLength + options;
  if (extendedError === undefined || options === 0) return;
  writeWord(bytes, length + 11, extendedErrorOption);
  writeWord(bytes, length + 13, 2 + text.length);
  writeWord(bytes, length + 15, extendedError.code);
  bytes.set(text, length + 17);
}

const noText = new Uint8Array(0);
const encoder = new TextEncoder();

/** At most 200 bytes, cut between characters. */
function encodeText(text: string): Uint8Array {
  const bytes = new Uint8Array(200);
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written);
}
