// Our OPT record (RFC 6891), and the extended error in it (RFC 8914).

import { type ExtendedError, extendedErrorOption, maxUdpPayload, type Rcode } from "../codes.ts";
import { types } from "../record-types.ts";
import { writeWord } from "../words.ts";
import type { Output } from "./names.ts";

/** What our OPT record says, and how long the message with it may get, bytes. */
interface OptContent {
  readonly rcode: Rcode;
  /** Only where it fits. */
  readonly extendedError: ExtendedError | undefined;
  readonly limit: number;
}

/** Bytes of our OPT record without options. */
export const optLength = 11;
/** With an extended error of the longest text. */
export const maxOptLength = optLength + 6 + 200;

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

/** Writes it at the end of a message, with the error if there is one and it fits. */
export function writeOptWithError(output: Output, { rcode, extendedError, limit }: OptContent): void {
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
