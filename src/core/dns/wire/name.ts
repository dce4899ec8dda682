// Domain names on the wire. We judge, compare and map a name by its labels as bytes, never by a text in which a dot
// could be either a separator or part of a label.

import { readWord } from "./words.ts";

/** A whole name: length-prefixed labels and the root, no compression. */
export interface Name {
  /** Case as received. */
  readonly wire: Uint8Array;
  /**
   * The same bytes, ASCII letters in lower case, one character a byte: equal exactly when the names are equal
   * (RFC 4343). As labels carry their length, no two names share one; `key.slice(i)` at a label's start is the
   * key of the name that begins there.
   */
  readonly key: string;
}

/** Longest name on the wire, the root's byte included (RFC 1035 3.1). */
const maxNameLength = 255;

/** `.` */
export const rootName: Name = { wire: Uint8Array.of(0), key: "\0" };

/** More than a name of the most labels can use; a row of thousands, each to the one before, costs no time. */
const maxPointers = 127;

export type Compression = "allowed" | "refused";

/**
 * Reads the name at `offset`; `end` is the first byte behind it in place. Undefined when it is cut off, longer
 * than 255 bytes, has a label type other than 00 and 11, or a pointer that is refused or does not point back
 * (a pointer that always goes back cannot loop).
 */
export function readName(
  message: Uint8Array,
  offset: number,
  compression: Compression,
): { readonly name: Name; readonly end: number } | undefined {
  let length = 0;
  let position = offset;
  let segmentStart = offset;
  let pointersLeft = compression === "allowed" ? maxPointers : 0;
  let end: number | undefined;
  for (;;) {
    const size = message[position];
    if (size === undefined) return undefined;
    if (size >= 0xc0) {
      const target = readWord(message, position) & 0x3fff;
      const isLegal = pointersLeft-- > 0 && position + 2 <= message.length && target < segmentStart;
      if (!isLegal) return undefined;
      end ??= position + 2;
      position = target;
      segmentStart = target;
      continue;
    }
    const next = position + 1 + size;
    if (size > 63 || next > message.length || length + 1 + size > maxNameLength) return undefined;
    for (let index = position; index < next; index++) scratch[length++] = message[index] ?? 0;
    position = next;
    if (size === 0) return { name: nameOf(scratch.slice(0, length)), end: end ?? next };
  }
}

/**
 * Reads the whole name at `offset`, whose bytes stay those of the message; undefined where readName() is so, and for
 * one that is compressed.
 */
export function nameInPlace(message: Uint8Array, offset: number): Name | undefined {
  let end = offset;
  for (;;) {
    const size = message[end];
    if (size === undefined || size > 63) return undefined;
    end += 1 + size;
    if (end > message.length || end - offset > maxNameLength) return undefined;
    if (size === 0) return nameOf(message.subarray(offset, end));
  }
}

/** The name of bytes known to be one whole, uncompressed name. */
export function nameOf(wire: Uint8Array): Name {
  return { wire, key: keyOf(wire) };
}

/** First byte behind the name at `offset`, without following it; undefined when it is cut off. */
export function skipName(message: Uint8Array, offset: number): number | undefined {
  let position = offset;
  for (;;) {
    const size = message[position];
    if (size === undefined) return undefined;
    if (size === 0) return position + 1;
    if (size >= 0xc0) return position + 2 <= message.length ? position + 2 : undefined;
    if (size > 63) return undefined;
    position += 1 + size;
  }
}

/**
 * Presentation form: lower case, no dot at the end (`.` for the root), everything that is not plain escaped
 * (`\.`, `\\`, `\000`), so that equal texts mean equal labels (RFC 1035 5.1, RFC 4343 2.1).
 */
export function nameText(name: Name): string {
  const { key } = name;
  if (key.length <= 1) return ".";
  const plain = plainText(key);
  if (plain !== undefined) return plain;
  let text = "";
  for (let start = 0; start < key.length - 1; ) {
    const end = start + 1 + key.charCodeAt(start);
    if (start > 0) text += ".";
    const label = key.slice(start + 1, end);
    text += plainLabel.test(label) ? label : escapeLabel(label);
    start = end;
  }
  return text;
}

/** Nearly always nothing is to be escaped: then it is one string, and no piece of it. */
function plainText(key: string): string | undefined {
  const end = key.length - 1;
  let labelEnd = 0;
  for (let index = 0; index < end; index++) {
    const code = key.charCodeAt(index);
    if (index === labelEnd) {
      labelEnd = index + 1 + code;
      lowerScratch[index] = 0x2e;
    } else if (isPlainCode(code)) lowerScratch[index] = code;
    else return undefined;
  }
  return lowerScratch.toString("latin1", 1, end);
}

/** a to z, 0 to 9, _ and -; a key has no capitals. */
function isPlainCode(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === 0x5f || code === 0x2d;
}

/** The name of a text without escapes (our own names, the engine's); undefined when a label or the whole is too long or empty. */
export function nameFromPlainText(text: string): Name | undefined {
  if (text === "" || text === ".") return rootName;
  const labels = (text.endsWith(".") ? text.slice(0, -1) : text)
    .split(".")
    .map((label) => encoder.encode(label));
  const length = labels.reduce((sum, label) => sum + 1 + label.length, 1);
  if (length > maxNameLength || labels.some((label) => label.length === 0 || label.length > 63))
    return undefined;
  const wire = new Uint8Array(length);
  let offset = 0;
  for (const label of labels) {
    wire[offset] = label.length;
    wire.set(label, offset + 1);
    offset += 1 + label.length;
  }
  return nameOf(wire);
}

/** The name without its first label; the root stays the root. */
export function parentName(name: Name): Name {
  const cut = name.wire[0] ?? 0;
  return cut === 0 ? rootName : { wire: name.wire.subarray(cut + 1), key: name.key.slice(cut + 1) };
}

/** True when `name` is `ancestor` or lies below it. */
export function isWithin(name: Name, ancestor: Name): boolean {
  let start = 0;
  while (name.key.length - start > ancestor.key.length) start += 1 + name.key.charCodeAt(start);
  return name.key.length - start === ancestor.key.length && name.key.endsWith(ancestor.key);
}

/** How many labels, the root not counted. */
export function labelCount(name: Name): number {
  let count = 0;
  for (let start = 0; start < name.key.length - 1; start += 1 + name.key.charCodeAt(start)) count++;
  return count;
}

/** Where a name is put together, within one call. */
const scratch = new Uint8Array(maxNameLength);
const lowerScratch = Buffer.alloc(maxNameLength);
const encoder = new TextEncoder();
const plainLabel = /^[a-z0-9_-]+$/;

function escapeLabel(label: string): string {
  let text = "";
  for (let index = 0; index < label.length; index++) {
    const code = label.charCodeAt(index);
    if (code <= 0x20 || code >= 0x7f) text += `\\${code.toString().padStart(3, "0")}`;
    else if ('.\\"();@$'.includes(label[index] ?? "")) text += `\\${label[index]}`;
    else text += label[index];
  }
  return text;
}

/** Only A to Z are folded: String#toLowerCase would also fold bytes above 127. Length bytes (0 to 63) are below `A`. */
function keyOf(wire: Uint8Array): string {
  const { length } = wire;
  for (let index = 0; index < length; index++) {
    const byte = wire[index] ?? 0;
    lowerScratch[index] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
  }
  return lowerScratch.toString("latin1", 0, length);
}
