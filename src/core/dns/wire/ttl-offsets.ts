// Where the TTLs stand in a response that we rendered, so that it can be told again with others.

import { headerLength } from "./codes.ts";
import { skipName } from "./name.ts";
import { types } from "./record-types.ts";
import { readWord } from "./words.ts";

/**
 * The offsets of the TTLs of all records but OPT, whose TTL is none (RFC 6891 6.1.3).
 * @param response a whole message with one question
 */
export function ttlOffsets(response: Uint8Array): number[] {
  const offsets: number[] = [];
  const count = readWord(response, 6) + readWord(response, 8) + readWord(response, 10);
  let offset = (skipName(response, headerLength) ?? response.length) + 4;
  for (let index = 0; index < count; index++) {
    const fixed = skipName(response, offset);
    if (fixed === undefined || fixed + 10 > response.length) throw new Error("no response of ours");
    if (readWord(response, fixed) !== types.opt) offsets.push(fixed + 4);
    offset = fixed + 10 + readWord(response, fixed + 8);
  }
  return offsets;
}
