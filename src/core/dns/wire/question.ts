// From a client's bytes to one question, or to the decision that there is none. Everything that a hostile client can
// put into a message is handled here, so that later code only sees clean questions.

import { classIn, flagBits, headerLength, type Rcode, rcodes } from "./codes.ts";
import { type Name, nameInPlace, nameText, skipName } from "./name.ts";
import { types } from "./record-types.ts";
import { readWord } from "./words.ts";

export interface Question {
  /** Presentation form from the wire labels: lower case, no dot at the end, odd bytes escaped. */
  readonly name: string;
  readonly qname: Name;
  readonly type: number;
}

/**
 * Equal exactly for equal questions. That for an address of version 4, the most common one, is the name's key itself: it
 * need not be put together, and is hashed once. A key ends with the root's nought, so none is another with something behind.
 */
export function questionId({ qname, type }: Pick<Question, "qname" | "type">): string {
  return type === types.a ? qname.key : qname.key + String.fromCharCode(type);
}

/** What the client's OPT record says (RFC 6891). Its options are read for their form only: we act on none. */
export interface Edns {
  /** Bytes that the client takes by UDP, as sent. */
  readonly payloadSize: number;
  readonly version: number;
}

/** What every response repeats of its query. */
export interface Head {
  readonly id: number;
  /** The second word of the header, as sent. */
  readonly flags: number;
  /** The question in the client's own bytes, case kept (0x20); empty when none could be read. */
  readonly questionBytes: Uint8Array;
  readonly edns: Edns | undefined;
}

export type Query = Head & { readonly kind: "query"; readonly question: Question };

/** A message that is answered without looking at what it asks. */
export type ReplyNow = Head & {
  readonly kind: "reply-now";
  readonly rcode: Rcode;
  /** The zone of an UPDATE or NOTIFY, in presentation form; undefined for a query. */
  readonly zone?: string;
};

/** No answer: no header to answer to, or itself an answer (answering those makes loops). */
export type Ignore = { readonly kind: "ignore" };

/**
 * Reads a client's message. The question is accepted as unbound and knot accept it: one, class IN, no
 * compression (nothing stands before it to point to), at most two additional records, of which OPT is read and others
 * (a signature) are passed over, and nothing behind.
 */
export function parseQuery(message: Uint8Array): Query | ReplyNow | Ignore {
  if (message.length < headerLength) return { kind: "ignore" };
  const flags = readWord(message, 2);
  if ((flags & flagBits.response) !== 0) return { kind: "ignore" };
  const id = readWord(message, 0);
  // The sections mean something else under another opcode (RFC 2136), so nothing more than the first name is read.
  if ((flags & flagBits.opcode) !== 0) return { ...bareReply(id, flags, rcodes.notImp), ...zoneOf(message) };
  if ((flags & flagBits.truncated) !== 0) return bareReply(id, flags, rcodes.formErr);
  const additionalCount = readWord(message, 10);
  // One question (RFC 9619), no answer or authority; at most two additional records, whatever they are: room for OPT and
  // a transaction signature.
  if (
    readWord(message, 4) !== 1 ||
    readWord(message, 6) !== 0 ||
    readWord(message, 8) !== 0 ||
    additionalCount > 2
  ) {
    return bareReply(id, flags, rcodes.formErr);
  }
  const qname = nameInPlace(message, headerLength);
  const questionEnd = headerLength + (qname?.wire.length ?? 0) + 4;
  if (qname === undefined || questionEnd > message.length) return bareReply(id, flags, rcodes.formErr);
  const questionBytes = message.subarray(headerLength, questionEnd);
  const additional = readAdditional(message, questionEnd, additionalCount);
  const edns = additional?.edns;
  const type = readWord(message, questionEnd - 4);
  const rcode =
    additional === undefined
      ? rcodes.formErr
      : edns !== undefined && edns.version !== 0
        ? rcodes.badVers
        : refusalOf(type, readWord(message, questionEnd - 2));
  if (rcode !== undefined) return { id, flags, questionBytes, edns, kind: "reply-now", rcode };
  const question = { name: nameText(qname), qname, type };
  return { id, flags, questionBytes, edns, kind: "query", question };
}

/** Without the question. */
function bareReply(id: number, flags: number, rcode: Rcode): ReplyNow {
  return { id, flags, questionBytes: noBytes, edns: undefined, kind: "reply-now", rcode };
}

/** The name that comes first in a message that is no query. */
function zoneOf(message: Uint8Array): Pick<ReplyNow, "zone"> {
  const name = nameInPlace(message, headerLength);
  return name === undefined ? {} : { zone: nameText(name) };
}

const noBytes = new Uint8Array(0);

/** Classes and types that no policy is asked about. */
function refusalOf(type: number, recordClass: number): Rcode | undefined {
  if (recordClass !== classIn) return rcodes.refused;
  switch (type) {
    case 0:
    case types.opt:
    case types.tsig:
      return rcodes.formErr;
    case types.axfr:
    case types.ixfr:
      return rcodes.refused;
    case types.tkey:
    case types.maila:
    case types.mailb:
      return rcodes.notImp;
    default:
      return undefined;
  }
}

/** Walks the additional section to the last byte; undefined when it is malformed or has two OPT records. */
function readAdditional(
  message: Uint8Array,
  start: number,
  count: number,
): { readonly edns: Edns | undefined } | undefined {
  let edns: Edns | undefined;
  let offset = start;
  for (let index = 0; index < count; index++) {
    const owner = offset;
    const fixed = skipName(message, owner);
    if (fixed === undefined || fixed + 10 > message.length) return undefined;
    const end = fixed + 10 + readWord(message, fixed + 8);
    if (end > message.length) return undefined;
    if (readWord(message, fixed) === types.opt) {
      if (edns !== undefined || message[owner] !== 0 || !optionsFit(message, fixed + 10, end))
        return undefined;
      edns = {
        payloadSize: readWord(message, fixed + 2),
        version: message[fixed + 5] ?? 0,
      };
    }
    offset = end;
  }
  return offset === message.length ? { edns } : undefined;
}

function optionsFit(message: Uint8Array, start: number, end: number): boolean {
  let offset = start;
  while (offset + 4 <= end) offset += 4 + readWord(message, offset + 2);
  return offset === end;
}
