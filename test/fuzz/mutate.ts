// Bytes gone wrong, found again by a seed.

import assert from "node:assert/strict";
import type { Random } from "../support/seeded.ts";

/** One of them. */
export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random(items.length)] ?? assert.fail("nothing to pick from");
}

/** A copy with up to five faults; `others` lend it their ends. */
export function mutate(original: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  let bytes = Buffer.from(original);
  for (let rounds = random(4) === 0 ? random(5) : 0; rounds >= 0; rounds--) {
    const at = random(bytes.length + 1);
    switch (random(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = random(256);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 2:
        bytes = bytes.subarray(0, at);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([random(256)]), bytes.subarray(at)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(8))]);
        break;
      case 5: {
        const other = others[random(others.length)] ?? original;
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(random(other.length))]);
        break;
      }
      case 6:
        // Pointers, lengths and counts are where readers go wrong.
        if (at + 1 < bytes.length)
          bytes.writeUInt16BE([0xc00c, 0xc000, 0xffff, 0, 1, 0x4000][random(6)] ?? 0, at);
        break;
    }
    bytes = Buffer.from(bytes);
  }
  return bytes;
}
