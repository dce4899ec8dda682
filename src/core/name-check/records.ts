// The records of TLS in which a handshake message travels in the clear. A message may be spread over several of them,
// cut anywhere (RFC 8446 section 5.1), and comes as the bytes do: each check depends on what is before it alone, so
// that a stream has one answer, however it was cut on its way.

import { readWord } from "../dns/wire/words.ts";
import type { Refusal, Refused } from "./refusals.ts";

/** Content types of records (RFC 8446 section 5.1). */
export const contentTypes = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;

/** Content type, version, length. */
export const RECORD_HEADER = 5;
/** Type and length of a handshake message. */
export const MESSAGE_HEADER = 4;

/** What a record in the clear may hold (RFC 8446 section 5.1). */
const longestFragment = 16_384;
/** More than any client makes of a hello; a hello in pieces of one byte has no other reason than to pass a reader. */
const recordsAtMost = 16;
/** Without its header: what BoringSSL accepts of a ClientHello. */
const longestMessage = 16_384;
const CLIENT_HELLO = 1;

/** The most bytes of a stream that one ClientHello takes. */
export const longestHello = MESSAGE_HEADER + longestMessage + recordsAtMost * RECORD_HEADER;

/** Bytes of the stream are missing. */
export type More = "more";

/** A ClientHello without the header of the message, and where its last record ends. */
export interface HelloMessage {
  readonly body: Uint8Array;
  readonly end: number;
}

/** What is known of a message on the way through its records. */
interface Progress {
  /** Bytes of it in the records before, its header included. */
  held: number;
  /** As many as are known of its header's four, as one number. */
  header: number;
  headerBytes: number;
}

/** The ClientHello whose first record begins at `start`; nothing may be behind it in its last record. */
export function readHelloMessage(stream: Uint8Array, start: number): More | Refused | HelloMessage {
  const progress: Progress = { held: 0, header: 0, headerBytes: 0 };
  let at = start;
  for (let records = 1; records <= recordsAtMost; records++) {
    const length = fragmentLength(stream, at, records === 1);
    if (typeof length !== "number") return length;
    const from = at + RECORD_HEADER;
    const refusal = readHeader(stream.subarray(from, from + length), progress);
    if (refusal !== undefined) return { refusal };
    const size = progress.headerBytes === MESSAGE_HEADER ? sizeOf(progress) : Number.POSITIVE_INFINITY;
    progress.held += length;
    if (progress.held > size) return { refusal: "malformed-hello" };
    at = from + length;
    if (at > stream.length) return "more";
    if (progress.held === size) return { body: bodyOf(stream, start, at, records), end: at };
  }
  return { refusal: "long-hello" };
}

/** The length of the fragment behind the header at `at`, as soon as the header is whole and right. */
function fragmentLength(stream: Uint8Array, at: number, isFirst: boolean): More | Refused | number {
  const known = stream.length - at;
  if (known > 0 && stream[at] !== contentTypes.handshake)
    return { refusal: isFirst ? "not-tls" : "not-a-hello" };
  if (known > 1 && stream[at + 1] !== 3) return { refusal: "not-tls" };
  // What the version says decides nothing: clients write 3.0 to 3.3 there, and servers take any (RFC 8446 5.1).
  if (known > 2 && (stream[at + 2] ?? 0) > 4) return { refusal: "not-tls" };
  if (known < RECORD_HEADER) return "more";
  const length = readWord(stream, at + 3);
  return length > 0 && length <= longestFragment ? length : { refusal: "malformed-hello" };
}

/** Takes what this fragment has of the message's header. */
function readHeader(fragment: Uint8Array, progress: Progress): Refusal | undefined {
  const missing = Math.min(MESSAGE_HEADER - progress.headerBytes, fragment.length);
  for (let index = 0; index < missing; index++) {
    const byte = fragment[index] ?? 0;
    if (progress.headerBytes === 0 && byte !== CLIENT_HELLO) return "not-a-hello";
    progress.header = progress.header * 256 + byte;
    progress.headerBytes++;
  }
  const isKnown = progress.headerBytes === MESSAGE_HEADER;
  return isKnown && sizeOf(progress) > MESSAGE_HEADER + longestMessage ? "long-hello" : undefined;
}

/** Of the message with its header. */
function sizeOf({ header }: Progress): number {
  return MESSAGE_HEADER + (header & 0xff_ff_ff);
}

/** In place if it is in one record, as nearly always. */
function bodyOf(stream: Uint8Array, start: number, end: number, records: number): Uint8Array {
  if (records === 1) return stream.subarray(start + RECORD_HEADER + MESSAGE_HEADER, end);
  const message = new Uint8Array(end - start - records * RECORD_HEADER);
  let filled = 0;
  for (let at = start; at < end; ) {
    const next = at + RECORD_HEADER + readWord(stream, at + 3);
    message.set(stream.subarray(at + RECORD_HEADER, next), filled);
    filled += next - at - RECORD_HEADER;
    at = next;
  }
  return message.subarray(MESSAGE_HEADER);
}
