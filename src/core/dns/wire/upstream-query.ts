// Our own questions to an upstream, and the check that an answer belongs to one. Apart from the question, no byte of a
// client's goes out; the case of the letters is random if the server copes (0x20), and must come back unchanged.

import { pooled } from "../../pooled.ts";
import { classIn, flagBits, headerLength, maxUdpPayload } from "./codes.ts";
import type { Question } from "./question.ts";
import { types } from "./record-types.ts";
import { readWord, writeWord } from "./words.ts";

export interface UpstreamQueryOptions {
  readonly edns: boolean;
  /** 16 random bits a call, for the letters' case; undefined sends lower case. */
  readonly randomWord: (() => number) | undefined;
  /** Fills the message up to a multiple of 128 bytes, so that its length does not tell the name (RFC 8467). */
  readonly padded: boolean;
}

const paddingOption = 12;
const paddedLength = 128;

/** The query with id 0; the transport writes its own. */
export function renderUpstreamQuery(question: Question, options: UpstreamQueryOptions): Uint8Array {
  const { key } = question.qname;
  const end = headerLength + key.length + 4;
  const unpadded = end + (options.edns ? 11 : 0);
  const padding =
    options.edns && options.padded
      ? 4 + ((2 * paddedLength - 4 - (unpadded % paddedLength)) % paddedLength)
      : 0;
  const bytes = pooled(unpadded + padding);
  writeWord(bytes, 2, flagBits.recursionDesired);
  writeWord(bytes, 4, 1);
  writeWord(bytes, 10, options.edns ? 1 : 0);
  let bits = 0;
  for (let index = 0; index < key.length; index++) {
    const code = key.charCodeAt(index);
    if (options.randomWord !== undefined && index % 16 === 0) bits = options.randomWord();
    const isLetter = code >= 0x61 && code <= 0x7a;
    bytes[headerLength + index] = isLetter && ((bits >> (index % 16)) & 1) === 1 ? code & 0xdf : code;
  }
  writeWord(bytes, end - 4, question.type);
  writeWord(bytes, end - 2, classIn);
  if (options.edns) {
    writeWord(bytes, end + 1, types.opt);
    writeWord(bytes, end + 3, maxUdpPayload);
    writeWord(bytes, end + 9, padding);
  }
  if (padding > 0) {
    writeWord(bytes, unpadded, paddingOption);
    writeWord(bytes, unpadded + 2, padding - 4);
  }
  return bytes;
}

/**
 * What a message with the right id, from the right place, is. `echo` answers this query. `folded` has the
 * question in other letter case and `bare` has none (RFC 6891 7: a server that cannot read EDNS): both are what
 * a forger who does not see the query would send, so by UDP they are a reason to ask again by TCP.
 */
export function judgeEcho(query: Uint8Array, message: Uint8Array): "echo" | "folded" | "bare" | "foreign" {
  if (message.length < headerLength) return "foreign";
  const opcodeAndResponse = readWord(message, 2) & (flagBits.response | flagBits.opcode);
  if (opcodeAndResponse !== flagBits.response) return "foreign";
  if (readWord(message, 4) === 0 && rcodeOf(message) !== 0) return "bare";
  if (readWord(message, 4) !== 1) return "foreign";
  const end = questionEnd(query);
  if (message.length < end) return "foreign";
  let folded = false;
  for (let index = headerLength; index < end; index++) {
    const sent = query[index] ?? 0;
    const got = message[index] ?? 0;
    if (sent === got) continue;
    // Length bytes are below 64 and type and class are compared as they are, so only letters can fold.
    if (index >= end - 4 || (sent ^ got) !== 0x20 || !isLetterCode(sent)) return "foreign";
    folded = true;
  }
  return folded ? "folded" : "echo";
}

/** The rcode of a message, without the bits that EDNS adds. */
export function rcodeOf(message: Uint8Array): number {
  return readWord(message, 2) & flagBits.rcode;
}

/** True when the server had more to say than fits. */
export function isTruncated(message: Uint8Array): boolean {
  return (readWord(message, 2) & flagBits.truncated) !== 0;
}

/** Marks a message whose end was lost on its way to us, as its server would have: it is asked for again by TCP. */
export function noteTruncated(message: Uint8Array): void {
  if (message.length >= headerLength) writeWord(message, 2, readWord(message, 2) | flagBits.truncated);
}

function isLetterCode(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** First byte behind the question of a query of ours. */
function questionEnd(query: Uint8Array): number {
  let offset = headerLength;
  while ((query[offset] ?? 0) !== 0) offset += 1 + (query[offset] ?? 0);
  return offset + 5;
}
