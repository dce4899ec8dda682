// Lines of a head and of trailers. Each is judged when it is whole, in their order, so that a reader says the same of
// bytes that come in pieces as of bytes that come at once.

import { textOf } from "../asked-name.ts";
import type { HttpRefusal, Refused } from "../refusals.ts";
import { bytesOf, classes, skip } from "./bytes.ts";

/** How many bytes the end of a line has. */
export const lineEndBytes = 2;

/**
 * The offset of the CR that ends the line, whose LF is there as well; "more" while that is beyond `to`. Servers differ in
 * what a CR or an LF alone ends (RFC 9112 section 2.2 lets them), so neither may occur.
 */
export function lineEndFrom(
  bytes: Uint8Array,
  from: number,
  to: number,
): number | "more" | Refused<HttpRefusal> {
  const end = skip(bytes, from, to, classes.value);
  if (end === to) return "more";
  if (bytes[end] === bytesOf.lf) return { refusal: "line-end" };
  if (bytes[end] !== bytesOf.cr) return { refusal: "control-byte" };
  if (end + 1 === to) return "more";
  return bytes[end + 1] === bytesOf.lf ? end : { refusal: "line-end" };
}

export interface FieldLine {
  /** In lower case; "" for the empty line, behind which there is no more field. */
  readonly name: string;
  /** Offsets of the value, blanks around it included. */
  readonly valueFrom: number;
  readonly valueTo: number;
  /** The offset of the next line. */
  readonly next: number;
}

/** The line at `from`: a field, or the empty line behind the last one. */
export function fieldLineAt(
  bytes: Uint8Array,
  from: number,
  to: number,
): FieldLine | "more" | Refused<HttpRefusal> {
  const end = lineEndFrom(bytes, from, to);
  if (typeof end !== "number") return end;
  const next = end + lineEndBytes;
  if (end === from) return { name: "", valueFrom: from, valueTo: from, next };
  if (bytes[from] === bytesOf.space || bytes[from] === bytesOf.tab) return { refusal: "folded-field" };
  const nameEnd = skip(bytes, from, end, classes.token);
  if (nameEnd === from || bytes[nameEnd] !== bytesOf.colon) return { refusal: "field-name" };
  return { name: textOf(bytes, from, nameEnd).toLowerCase(), valueFrom: nameEnd + 1, valueTo: end, next };
}
