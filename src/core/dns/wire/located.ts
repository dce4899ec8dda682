// Where records stand in an upstream's message. An owner that many records share is read once.

import { classIn, headerLength } from "./codes.ts";
import { type Name, readName } from "./name.ts";
import type { Question } from "./question.ts";
import { types } from "./record-types.ts";
import { readWord } from "./words.ts";

/** Where a record stands, before its rdata is worth reading. */
export interface Located {
  readonly owner: Name;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly start: number;
  readonly length: number;
}

/** Names that a pointer to an offset stands for: most records of an answer share one owner, the question's name. */
export class KnownNames {
  readonly #qname: Name;
  /** Made for the first other name. */
  #others: Map<number, Name> | undefined;

  constructor(qname: Name) {
    this.#qname = qname;
  }

  get(offset: number): Name | undefined {
    return offset === headerLength ? this.#qname : this.#others?.get(offset);
  }

  set(offset: number, name: Name): void {
    this.#others ??= new Map();
    this.#others.set(offset, name);
  }
}

function readOwner(message: Uint8Array, offset: number, names: KnownNames): ReturnType<typeof readName> {
  const first = message[offset] ?? 0;
  if (first < 0xc0 || offset + 2 > message.length) return readName(message, offset, "allowed");
  const target = readWord(message, offset) & 0x3fff;
  const known = names.get(target);
  if (known !== undefined) return { name: known, end: offset + 2 };
  const read = readName(message, offset, "allowed");
  if (read !== undefined) names.set(target, read.name);
  return read;
}

/** Reads one record's frame; `record` is undefined for classes other than IN. */
export function locate(
  message: Uint8Array,
  offset: number,
  names: KnownNames,
): { readonly record: Located | undefined; readonly end: number } | undefined {
  const read = readOwner(message, offset, names);
  if (read === undefined || read.end + 10 > message.length) return undefined;
  const length = readWord(message, read.end + 8);
  const start = read.end + 10;
  const end = start + length;
  if (end > message.length) return undefined;
  if (readWord(message, read.end + 2) !== classIn) return { record: undefined, end };
  const ttl = readWord(message, read.end + 4) * 0x10000 + readWord(message, read.end + 6);
  // A TTL with its highest bit set counts as zero (RFC 2181 8).
  const ttlSeconds = ttl > 0x7fff_ffff ? 0 : ttl;
  return { record: { owner: read.name, type: readWord(message, read.end), ttlSeconds, start, length }, end };
}

/** Records of the answer section that can matter: those of the question's type, and CNAMEs. */
export function readSection({
  message,
  names,
  start,
  count,
  question,
}: {
  readonly message: Uint8Array;
  readonly names: KnownNames;
  readonly start: number;
  readonly count: number;
  readonly question: Question;
}): { readonly records: readonly Located[]; readonly end: number } | undefined {
  const records: Located[] = [];
  let offset = start;
  for (let index = 0; index < count; index++) {
    const located = locate(message, offset, names);
    if (located === undefined) return undefined;
    offset = located.end;
    const { record } = located;
    if (record !== undefined && (record.type === question.type || record.type === types.cname))
      records.push(record);
  }
  return { records, end: offset };
}
