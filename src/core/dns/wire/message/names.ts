// Names as bytes: owner names and the names in old types are compressed (RFC 1035 4.1.4).

import { headerLength } from "../codes.ts";
import type { Name } from "../name.ts";
import { writeWord } from "../words.ts";

/** A message that is being written. */
export interface Output {
  readonly bytes: Uint8Array;
  length: number;
  /** Where most names point to. */
  readonly questionBytes: Uint8Array;
  /** Offset of the other names, by their keys; only offsets that a pointer can hold. */
  suffixes: Map<string, number> | undefined;
}

/** Writes a name, if it fits in `room`; whether it does. */
export function writeName(output: Output, name: Name, room: number, compress: boolean): boolean {
  const { wire, key } = name;
  let start = 0;
  let pointer: number | undefined;
  while (start < wire.length - 1) {
    const known = placeInQuestion(output.questionBytes, key, start) ?? placeOf(output, key, start);
    if (compress) pointer = known;
    if (pointer !== undefined) break;
    if (known === undefined) remember(output, key, start);
    start += 1 + (wire[start] ?? 0);
  }
  const length = pointer === undefined ? wire.length : start + 2;
  if (output.length + length > room) return false;
  output.bytes.set(pointer === undefined ? wire : wire.subarray(0, start), output.length);
  if (pointer !== undefined) writeWord(output.bytes, output.length + start, 0xc000 | pointer);
  output.length += length;
  return true;
}

/** Where the name that begins at `start` of a key stands in the question; undefined where it does not. */
function placeInQuestion(question: Uint8Array, key: string, start: number): number | undefined {
  // Behind the name there are type and class.
  const at = question.length - 4 - (key.length - start);
  let label = 0;
  while (label < at) label += 1 + (question[label] ?? 0);
  if (label !== at) return undefined;
  for (let index = start; index < key.length; index++) {
    const byte = question[at + index - start] ?? 0;
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (folded !== key.charCodeAt(index)) return undefined;
  }
  return headerLength + at;
}

function placeOf({ suffixes }: Output, key: string, start: number): number | undefined {
  return suffixes?.get(key.slice(start));
}

function remember(output: Output, key: string, start: number): void {
  const offset = output.length + start;
  if (offset >= 0x4000) return;
  output.suffixes ??= new Map();
  output.suffixes.set(key.slice(start), offset);
}
