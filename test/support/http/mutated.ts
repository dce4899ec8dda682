// Streams of requests gone wrong, or made to go wrong, found again by a seed.

import { mutate, pick } from "../../fuzz/mutate.ts";
import type { Random } from "../seeded.ts";
import { attacks } from "./attacks.ts";
import { honest } from "./honest.ts";

const bytesOf = (text: string): Buffer => Buffer.from(text, "latin1");
const originals = honest.map(({ text }) => bytesOf(text));
const odd = Object.values(attacks)
  .flatMap((texts) => Object.values(texts).map(bytesOf))
  .filter(({ length }) => length < 1000);

/** What readers differ about. */
const words = [
  ..."\r|\n|\r\n|\t| |\0|\x0b|\xa0|+|-|0x|0|;|,|_|:|.|@|/|#".split("|"),
  ...[
    "\r\n\r\n",
    "\r\n ",
    "Host: evil.example\r\n",
    "Host: www.example.org\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
  ],
  ...[
    "Transfer-Encoding: chunked\r\n",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "GET / HTTP/1.1\r\n",
    "http://evil.example",
    "chunked",
  ],
  ...["Connection: close\r\n", "Expect: 100-continue\r\n", "X: y\r\n"],
].map(bytesOf);

/** One or two requests, with a fault or more. */
export function mutated(random: Random): Buffer {
  let bytes = pick(random, random(4) === 0 ? odd : originals);
  if (random(3) === 0) bytes = Buffer.concat([bytes, pick(random, originals)]);
  for (let rounds = random(3); rounds >= 0; rounds--) {
    const kind = random(6);
    if (kind === 0) bytes = mutate(bytes, random, odd);
    else if (kind === 1) bytes = withLineAgain(bytes, random);
    else if (kind === 2) bytes = withCaseChanged(bytes, random);
    else bytes = withWord(bytes, random);
  }
  return bytes;
}

/** At the beginning of a line more often than within one. */
function withWord(bytes: Buffer, random: Random): Buffer {
  const lines = lineStarts(bytes);
  const at = random(3) > 0 ? pick(random, lines) : random(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), pick(random, words), bytes.subarray(at)]);
}

/** A line, in another place as well. */
function withLineAgain(bytes: Buffer, random: Random): Buffer {
  const lines = lineStarts(bytes);
  const line = random(lines.length);
  const at = pick(random, lines);
  return Buffer.concat([
    bytes.subarray(0, at),
    bytes.subarray(lines[line], lines[line + 1]),
    bytes.subarray(at),
  ]);
}

function withCaseChanged(bytes: Buffer, random: Random): Buffer {
  const changed = Buffer.from(bytes);
  const at = random(bytes.length);
  if (/[a-z]/i.test(String.fromCharCode(changed[at] ?? 0))) changed[at] = (changed[at] ?? 0) ^ 0x20;
  return changed;
}

function lineStarts(bytes: Buffer): number[] {
  const starts = [0];
  for (let at = bytes.indexOf("\n"); at !== -1; at = bytes.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}
