// The ClientHello with which a connection begins TLS, and the name in it.
// @see RFC 8446 sections 4.1.2, 4.2 and 5.1, RFC 5246 section 7.4.1.2, RFC 6066 section 3, RFC 9849

import { readWord } from "../dns/wire/words.ts";
import { canonicalAsked, textOf } from "./asked-name.ts";
import { type More, readHelloMessage } from "./records.ts";
import type { Refusal, Refused } from "./refusals.ts";

export interface Hello {
  /** In lower case, as entries are matched. */
  readonly name: string;
  /** The bytes of the host name as they were sent, one character each. */
  readonly asked: string;
  /**
   * Whether it has the extension of Encrypted ClientHello: the name may then be another than the one that counts. Many
   * clients send it with random content to all servers (GREASE).
   */
  readonly hasEch: boolean;
}

/** `more` while it is not whole; `length` is that of its records, where what follows it in the stream begins. */
export type HelloReading = More | Refused | { readonly hello: Hello; readonly length: number };

const VERSION_AND_RANDOM = 2 + 32;
const longestSessionId = 32;
const SERVER_NAME = 0;
const ENCRYPTED_CLIENT_HELLO = 0xfe0d;
const HOST_NAME = 0;

/**
 * Reads the first bytes of a client, in order and without gaps; an answer other than `more` stays so, whatever follows.
 * No byte is read as two things: the hello ends where its last record does, all lengths in it add up, and it has one
 * server_name with one host name. What is behind it is not looked at.
 */
export function readHello(stream: Uint8Array): HelloReading {
  return readHelloAt(stream, 0);
}

/** The same for a hello whose first record begins at `start`; `length` is counted from the stream's beginning. */
export function readHelloAt(stream: Uint8Array, start: number): HelloReading {
  const message = readHelloMessage(stream, start);
  if (message === "more" || "refusal" in message) return message;
  const hello = helloOf(message.body);
  return typeof hello === "string" ? { refusal: hello } : { hello, length: message.end };
}

function helloOf(body: Uint8Array): Hello | Refusal {
  const start = extensionsStart(body);
  if (start === undefined) return "malformed-hello";
  // A client of TLS 1.2 may send none at all.
  if (start === body.length) return "no-name";
  if (vectorEnd(body, start, 2) !== body.length) return "malformed-hello";
  let hasEch = false;
  let list: Uint8Array | undefined;
  for (let at = start + 2; at < body.length; ) {
    const type = readWord(body, at);
    const end = vectorEnd(body, at + 2, 2);
    if (end === undefined) return "malformed-hello";
    if (type === ENCRYPTED_CLIENT_HELLO) hasEch = true;
    if (type === SERVER_NAME) {
      if (list !== undefined) return "not-one-name";
      list = body.subarray(at + 4, end);
    }
    at = end;
  }
  if (list === undefined) return "no-name";
  const bytes = hostNameIn(list);
  if (typeof bytes === "string") return bytes;
  const asked = canonicalAsked(bytes);
  return "refusal" in asked ? asked.refusal : { name: asked.name, asked: textOf(bytes), hasEch };
}

/** Where the list of extensions begins: behind version, random, session, cipher suites and compression methods. */
function extensionsStart(body: Uint8Array): number | undefined {
  const session = vectorEnd(body, VERSION_AND_RANDOM, 1);
  if (session === undefined || session - VERSION_AND_RANDOM - 1 > longestSessionId) return undefined;
  const suites = vectorEnd(body, session, 2);
  if (suites === undefined) return undefined;
  const suitesLength = suites - session - 2;
  if (suitesLength === 0 || suitesLength % 2 !== 0) return undefined;
  const methods = vectorEnd(body, suites, 1);
  return methods === suites + 1 ? undefined : methods;
}

/** The only entry of a list of names; it takes the list to its end. */
function hostNameIn(list: Uint8Array): Uint8Array | Refusal {
  if (vectorEnd(list, 0, 2) !== list.length) return "malformed-hello";
  if (list.length === 2 || list[2] !== HOST_NAME) return "not-one-name";
  const end = vectorEnd(list, 3, 2);
  if (end === undefined) return "malformed-hello";
  return end === list.length ? list.subarray(5) : "not-one-name";
}

/** The first byte behind what begins at `at` with its length in so many bytes; undefined when it is not all there. */
function vectorEnd(bytes: Uint8Array, at: number, lengthBytes: 1 | 2): number | undefined {
  const from = at + lengthBytes;
  if (from > bytes.length) return undefined;
  const end = from + (lengthBytes === 1 ? (bytes[at] ?? 0) : readWord(bytes, at));
  return end <= bytes.length ? end : undefined;
}
