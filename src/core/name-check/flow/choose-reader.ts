// Which reader a connection gets, by its first byte.

import { contentTypes } from "../records.ts";
import { HttpReader } from "./http.ts";
import type { Reader } from "./reader.ts";
import type { FlowRules } from "./steps.ts";
import { TlsReader } from "./tls.ts";

/** Undefined for what is neither; methods of HTTP begin with a letter. */
export function readerFor(first: number, rules: FlowRules): Reader | undefined {
  if (first === contentTypes.handshake) return new TlsReader(rules);
  return (first | 0x20) >= 0x61 && (first | 0x20) <= 0x7a ? new HttpReader(rules) : undefined;
}
