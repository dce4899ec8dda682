// The first line of a request (RFC 9112 section 3): METHOD SP TARGET SP HTTP/1.x.

import { textOf } from "../asked-name.ts";
import type { HttpRefusal, Refused } from "../refusals.ts";
import { bytesOf, classes, skip } from "./bytes.ts";
import { hostNamed } from "./host.ts";
import { lineEndBytes, lineEndFrom } from "./line.ts";

export interface StartLine {
  /** As sent: methods are told apart by case. */
  readonly method: string;
  readonly version: "1.0" | "1.1";
  /** The host of an absolute target, by the name that entries have; undefined for a path. */
  readonly host: string | undefined;
  /** The offset of the next line. */
  readonly next: number;
}

/** Longer than every registered one. */
const methodBytesAtMost = 32;

/** What else is there than HTTP is told by its first bytes: no end of a line is waited for. */
export function startLineAt(bytes: Uint8Array, to: number): StartLine | "more" | Refused<HttpRefusal> {
  const methodEnd = skip(bytes, 0, Math.min(to, methodBytesAtMost), classes.token);
  if (methodEnd === to) return "more";
  if (methodEnd === 0 || bytes[methodEnd] !== bytesOf.space) return { refusal: "not-http" };
  const method = textOf(bytes, 0, methodEnd);
  // In lower case they are other methods, but not to every server.
  if (/^pri$/i.test(method)) return { refusal: "http-2" };
  if (/^connect$/i.test(method)) return { refusal: "tunnel" };
  const end = lineEndFrom(bytes, methodEnd + 1, to);
  if (typeof end !== "number") return end;
  const targetEnd = skip(bytes, methodEnd + 1, end, classes.target);
  const version = versionIn(bytes, targetEnd, end);
  if (version === undefined) return { refusal: "version" };
  const target = targetIn(bytes, methodEnd + 1, targetEnd, method);
  return "refusal" in target ? target : { method, version, host: target.host, next: end + lineEndBytes };
}

function versionIn(bytes: Uint8Array, from: number, to: number): StartLine["version"] | undefined {
  const text = textOf(bytes, from, to);
  return text === " HTTP/1.1" ? "1.1" : text === " HTTP/1.0" ? "1.0" : undefined;
}

const scheme = "http://";

/** The authority-form belongs to CONNECT, and a URL of another scheme to a proxy. */
function targetIn(
  bytes: Uint8Array,
  from: number,
  to: number,
  method: string,
): { readonly host: string | undefined } | Refused<HttpRefusal> {
  if (bytes[from] === bytesOf.slash) return { host: undefined };
  if (bytes[from] === bytesOf.asterisk && to - from === 1 && method === "OPTIONS") return { host: undefined };
  const hostFrom = from + scheme.length;
  if (!textOf(bytes, from, to).startsWith(scheme)) return { refusal: "target" };
  let hostTo = hostFrom;
  while (hostTo < to && bytes[hostTo] !== bytesOf.slash && bytes[hostTo] !== bytesOf.question) hostTo++;
  const host = hostNamed(bytes, hostFrom, hostTo);
  return "refusal" in host ? host : { host: host.name };
}
