// What a client sends behind its first ClientHello before the server has answered it to the end. A server that asks for
// other key material (HelloRetryRequest) is sent a second hello, and takes the name from it if it does not compare them.
// @see RFC 8446 sections 4.1.2, 4.2.10 and appendix D.4

import { readWord } from "../dns/wire/words.ts";
import { type Hello, type HelloReading, readHelloAt } from "./client-hello.ts";
import { contentTypes, type More, RECORD_HEADER } from "./records.ts";
import type { Refused } from "./refusals.ts";

/** Of an encrypted record (RFC 8446 section 5.2). */
const longestCiphertext = 16_384 + 256;

/**
 * Reads what follows the first hello, in order and without gaps. Records that say nothing to a server are skipped:
 * change_cipher_spec, and early data, which a server that asks again throws away. `more` while there is nothing else;
 * then it must be a hello that asks for the name by the same bytes. `length` includes what was skipped. Whether the
 * server has asked is the caller's to know: a hello that is here before it did is the one that it reads if it asks.
 */
export function readSecondHello(stream: Uint8Array, first: Hello): HelloReading {
  let at = 0;
  while (at < stream.length && stream[at] !== contentTypes.handshake) {
    const next = endOfSkipped(stream, at);
    if (typeof next !== "number") return next;
    at = next;
  }
  const reading = readHelloAt(stream, at);
  if (reading === "more" || "refusal" in reading) return reading;
  return reading.hello.asked === first.asked ? reading : { refusal: "other-name" };
}

/** Where the next record begins. */
function endOfSkipped(stream: Uint8Array, at: number): More | Refused | number {
  const isData = stream[at] === contentTypes.applicationData;
  const known = stream.length - at;
  if (!isData && stream[at] !== contentTypes.changeCipherSpec) return { refusal: "not-a-hello" };
  if (known > 1 && stream[at + 1] !== 3) return { refusal: "not-a-hello" };
  if (known < RECORD_HEADER) return "more";
  const length = readWord(stream, at + 3);
  const isRight = isData ? length > 0 && length <= longestCiphertext : length === 1;
  if (!isRight) return { refusal: "malformed-hello" };
  const next = at + RECORD_HEADER + length;
  if (next > stream.length) return "more";
  return isData || stream[next - 1] === 1 ? next : { refusal: "malformed-hello" };
}
