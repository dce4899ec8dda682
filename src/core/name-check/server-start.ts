// How a server answers a ClientHello: by its own hello, after which it takes no other of the client, or by asking for a
// second one (HelloRetryRequest).
// @see RFC 8446 sections 4.1.3, 4.1.4 and 6, RFC 6066 section 3

import { readWord } from "../dns/wire/words.ts";
import { contentTypes, MESSAGE_HEADER, RECORD_HEADER } from "./records.ts";

/** `other` is what no server of TLS begins with that wants to go on; `more` while it may be either. */
export type ServerStart = "more" | "hello" | "retry" | "other";

const SERVER_HELLO = 2;
const RANDOM_AT = MESSAGE_HEADER + 2;
const ALERT_LENGTH = 2;
const WARNING = 1;
/** The random value by which a ServerHello is a HelloRetryRequest: SHA-256 of these words (RFC 8446 section 4.1.3). */
const retryRandom = Buffer.from("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c", "hex");
const RANDOM_END = RANDOM_AT + retryRandom.length;

/**
 * Reads the first bytes of a server, in order and without gaps; what was not `more` stays so, whatever follows. Some
 * servers first warn that they do not know the name: warnings are skipped. The hello may be spread over several records,
 * as short as the client has asked for (RFC 8449).
 */
export function readServerStart(stream: Uint8Array): ServerStart {
  let held = 0;
  for (let at = 0; at < stream.length; ) {
    const isWarning = stream[at] === contentTypes.alert && held === 0;
    if (!isWarning && stream[at] !== contentTypes.handshake) return "other";
    if (at + RECORD_HEADER > stream.length) return "more";
    const from = at + RECORD_HEADER;
    const length = readWord(stream, at + 3);
    if (length === 0) return "other";
    if (isWarning) {
      if (length !== ALERT_LENGTH || (from < stream.length && stream[from] !== WARNING)) return "other";
    } else {
      const fragment = stream.subarray(from, from + length);
      const start = startOf(fragment, held);
      if (start !== "more") return start;
      held += fragment.length;
    }
    at = from + length;
  }
  return "more";
}

/** What a fragment of the message tells, behind so many bytes that told nothing yet. */
function startOf(fragment: Uint8Array, held: number): ServerStart {
  const end = Math.min(fragment.length, RANDOM_END - held);
  for (let index = 0; index < end; index++) {
    const at = held + index;
    if (at === 0 && fragment[index] !== SERVER_HELLO) return "other";
    if (at >= RANDOM_AT && fragment[index] !== retryRandom[at - RANDOM_AT]) return "hello";
  }
  return held + end === RANDOM_END ? "retry" : "more";
}
