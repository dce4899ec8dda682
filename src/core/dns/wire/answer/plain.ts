// Answers that are nothing but the addresses of the very name that was asked for, each owner a pointer to the question:
// most are. They are read in place, and told again in the upstream's own bytes, but for the TTLs: with names, records and
// their parts as objects, an answer takes four times the memory (test/kernel/lookups/lookup-costs.test.ts counts it). Whatever
// is not quite like that is walked record by record (../answer.ts), with the same result.

import { addressFromBytes } from "../../../model/address.ts";
import { pooled } from "../../../pooled.ts";
import { withOne } from "../../../with-one.ts";
import { classIn, flagBits, headerLength, rcodes } from "../codes.ts";
import { optLength, writeOpt } from "../message/opt.ts";
import { responseFlags } from "../message.ts";
import type { Question } from "../question.ts";
import { types } from "../record-types.ts";
import { readWord, writeWord } from "../words.ts";
import type { AnsweredAddress, AnswerRendering } from "./rendering.ts";

/** Where they stand in an upstream's message, and what they say. */
export interface PlainRecords {
  readonly message: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Bytes of each, from its owner on. */
  readonly size: number;
  /** Without repetitions, in the order of the records. */
  readonly addresses: readonly AnsweredAddress[];
  /** The least of them (RFC 2181 5.2). */
  readonly ttlSeconds: number;
}

/** Repetitions are looked for one by one. */
const recordsAtMost = 32;
/** A pointer to the question's name. */
const toQuestion = 0xc000 | headerLength;
/** From the owner to the rdata. */
const fixedLength = 12;

/** The flags that must be as they are in an answer with records, and how. */
const decidingFlags = flagBits.response | flagBits.opcode | flagBits.truncated | flagBits.rcode;

/** Undefined where anything is different, be it bad or only written in another way. */
export function readPlain(message: Uint8Array, question: Question): PlainRecords | undefined {
  const { type, qname } = question;
  const length = type === types.a ? 4 : type === types.aaaa ? 16 : 0;
  const count = readWord(message, 6);
  if (length === 0 || count === 0 || count > recordsAtMost) return undefined;
  const start = headerLength + qname.key.length + 4;
  const size = fixedLength + length;
  const end = start + count * size;
  if (end > message.length || !isAnswerTo(message, question)) return undefined;
  let addresses: AnsweredAddress[] = [];
  let ttlSeconds = 0x7fff_ffff;
  for (let at = start; at < end; at += size) {
    const isPlain =
      readWord(message, at) === toQuestion &&
      readWord(message, at + 2) === type &&
      readWord(message, at + 4) === classIn &&
      readWord(message, at + 10) === length;
    if (!isPlain) return undefined;
    ttlSeconds = Math.min(ttlSeconds, ttlAt(message, at + 6));
  }
  for (let at = start + fixedLength; at < end; at += size) {
    const bytes = message.subarray(at, at + length);
    const address = addressFromBytes(bytes);
    if (!addresses.some((before) => before.address === address))
      addresses = withOne(addresses, { address, bytes, ttlSeconds });
  }
  return { message, start, end, size, addresses, ttlSeconds };
}

/** A TTL with its highest bit set counts as zero (RFC 2181 8). */
function ttlAt(message: Uint8Array, offset: number): number {
  const high = readWord(message, offset);
  return high > 0x7fff ? 0 : high * 0x10000 + readWord(message, offset + 2);
}

/** Whether it is an answer that could be whole, to exactly this question and no other, in whichever letter case. */
function isAnswerTo(message: Uint8Array, { qname: { key }, type }: Question): boolean {
  const isHead =
    (readWord(message, 2) & decidingFlags) === (flagBits.response | rcodes.noError) &&
    readWord(message, 4) === 1;
  // The root's name is as short as a pointer to it.
  if (!isHead || key.length === 1) return false;
  for (let index = 0; index < key.length; index++) {
    const byte = message[headerLength + index] ?? 0;
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (folded !== key.charCodeAt(index)) return false;
  }
  const end = headerLength + key.length;
  return readWord(message, end) === type && readWord(message, end + 2) === classIn;
}

/** The client's answer, if all of it is told and fits; undefined where it must be put together record by record. */
export function renderPlain(
  { message, start, end, size, addresses, ttlSeconds }: PlainRecords,
  { head, limit, tellTtl, keep, extendedError }: AnswerRendering,
): Uint8Array | undefined {
  const length = end + (head.edns === undefined ? 0 : optLength);
  const isWhole =
    extendedError === undefined &&
    length <= limit &&
    // Where the pointers lead to.
    headerLength + head.questionBytes.length === start &&
    (keep === undefined || addresses.every(({ address }) => keep(address)));
  if (!isWhole) return undefined;
  const bytes = pooled(length);
  writeWord(bytes, 0, head.id);
  writeWord(bytes, 2, responseFlags(head, rcodes.noError, false));
  writeWord(bytes, 4, 1);
  writeWord(bytes, 6, (end - start) / size);
  writeWord(bytes, 10, head.edns === undefined ? 0 : 1);
  bytes.set(head.questionBytes, headerLength);
  const told = tellTtl(ttlSeconds);
  for (let at = start; at < end; at++) bytes[at] = message[at] ?? 0;
  for (let at = start + 6; at < end; at += size) {
    writeWord(bytes, at, told >>> 16);
    writeWord(bytes, at + 2, told);
  }
  if (head.edns !== undefined) writeOpt(bytes, end, rcodes.noError, 0);
  return bytes;
}
