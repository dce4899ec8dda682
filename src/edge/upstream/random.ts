// Random bits for ids and letter case, from the kernel's generator, drawn in blocks: a call for each query would cost
// more than the query.

import { randomFillSync } from "node:crypto";

export interface RandomBits {
  /** 0 to 65535. */
  word(): number;
}

/** Makes a source with a block of its own. */
export function createRandomBits(): RandomBits {
  const block = new Uint16Array(2048);
  let next = block.length;
  return {
    word() {
      if (next === block.length) {
        randomFillSync(block);
        next = 0;
      }
      return block[next++] ?? 0;
    },
  };
}
