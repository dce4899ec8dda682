// The head of a request of HTTP/1 (RFC 9112), which names the site that a server is to serve. Each request of a
// connection has one, so each is read.

import type { HttpRefusal, Refused } from "../refusals.ts";
import type { BodyLength } from "./body.ts";
import { DecidingFields, type Upgrade } from "./deciding-fields.ts";
import { fieldLineAt } from "./line.ts";
import { type StartLine, startLineAt } from "./start-line.ts";

export interface Head {
  /** As sent. */
  readonly method: string;
  /** The name that it asks for, in lower case, without a port. */
  readonly host: string;
  /** What follows it. */
  readonly body: BodyLength;
  /**
   * What the connection is to become; it has no body then, and nothing of the client's may pass until the server has
   * answered. A 101 ends the requests of a "websocket". "h2c" is an offer that servers hardly ever take, which clients such
   * as Java's make unasked: after a 101 the connection has to be cut, as its requests cannot be read.
   */
  readonly upgrade: Upgrade | "none";
}

const headBytesAtMost = 16 * 1024;
const fieldsAtMost = 100;

/**
 * Reads the head that begins with these bytes, whatever is behind it; "more" while it is incomplete. What was said of the
 * first bytes of a stream, other than "more", is said of all of it. `length` is the head's, in bytes.
 */
export function readHead(
  bytes: Uint8Array,
): "more" | { readonly head: Head; readonly length: number } | Refused<HttpRefusal> {
  const to = Math.min(bytes.length, headBytesAtMost);
  const start = startLineAt(bytes, to);
  const read = start === "more" || "refusal" in start ? start : fieldsBehind(start, bytes, to);
  return read === "more" && to === headBytesAtMost ? { refusal: "head-too-long" } : read;
}

function fieldsBehind(start: StartLine, bytes: Uint8Array, to: number): ReturnType<typeof readHead> {
  const fields = new DecidingFields();
  let at = start.next;
  for (let count = 0; ; count++) {
    const line = fieldLineAt(bytes, at, to);
    if (line === "more" || "refusal" in line) return line;
    if (line.name === "") {
      const head = headOf(start, fields);
      return "refusal" in head ? head : { head, length: line.next };
    }
    if (count === fieldsAtMost) return { refusal: "too-many-fields" };
    const refusal = fields.take(bytes, line);
    if (refusal !== undefined) return { refusal };
    at = line.next;
  }
}

/** What the fields say together. */
function headOf(start: StartLine, fields: DecidingFields): Head | Refused<HttpRefusal> {
  const { method, version } = start;
  const { host, contentLength = 0, isChunked } = fields;
  if (host === undefined) return { refusal: "no-host" };
  if (start.host !== undefined && start.host !== host) return { refusal: "host-differs" };
  if (isChunked && fields.contentLength !== undefined) return { refusal: "two-framings" };
  if (isChunked && version === "1.0") return { refusal: "transfer-encoding" };
  const body = isChunked ? "chunks" : contentLength;
  const upgrade = fields.upgradeOf(version === "1.1" && body === 0, method === "GET");
  return typeof upgrade === "string" ? { method, host, body, upgrade } : upgrade;
}
