// ClientHellos gone wrong where readers of them go wrong, found again by a seed.

import { mutate, pick } from "../../fuzz/mutate.ts";
import type { Random } from "../seeded.ts";
import { cutAt, record } from "./build-hello.ts";

/** One of the hellos, whole and in one record or several, right or with faults, with or without bytes behind it. */
export function mutatedHello(random: Random, messages: readonly Buffer[]): Buffer {
  const message = pick(random, messages);
  switch (random(5)) {
    case 0:
      return mutate(
        cutSomewhere(random, message),
        random,
        messages.map((each) => record(each)),
      );
    case 1:
      return cutSomewhere(random, mutate(message, random, messages));
    case 2:
      return cutSomewhere(random, withOtherLength(random, message));
    case 3:
      return Buffer.concat([cutSomewhere(random, message), pick(random, messages).subarray(0, random(40))]);
    default:
      return cutSomewhere(random, withOtherName(random, message));
  }
}

/** In up to 18 records, of which 16 are allowed. */
function cutSomewhere(random: Random, message: Buffer): Buffer {
  const count = random(3) === 0 ? random(18) : random(3);
  const ends = Array.from({ length: count }, () => random(message.length + 1)).sort((a, b) => a - b);
  return cutAt(message, ends);
}

/** Any two bytes, taken for a length: one more or less, none, all. */
function withOtherLength(random: Random, message: Buffer): Buffer {
  const copy = Buffer.from(message);
  const at = random(Math.max(1, copy.length - 2));
  const length = copy.readUInt16BE(at);
  const others = [length + 1, length - 1, 0, 0xffff, copy.length - at - 2];
  copy.writeUInt16BE(pick(random, others) & 0xffff, at);
  return copy;
}

/** A byte of the name becomes one that has a meaning in names. */
function withOtherName(random: Random, message: Buffer): Buffer {
  const copy = Buffer.from(message);
  const at = copy.indexOf("example");
  if (at >= 0)
    copy[at - 4 + random(15)] = pick(random, [0, 0x2e, 0x2a, 0x2d, 0x5f, 0x41, 0x30, 0x3a, 0xc3, 0x20]);
  return copy;
}
