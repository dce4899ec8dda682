// A response as bytes: our header, the client's question, the records that fit, and our OPT record.

import { pooled } from "../../pooled.ts";
import {
  type ExtendedError,
  flagBits,
  headerLength,
  maxTcpPayload,
  maxUdpPayload,
  plainUdpPayload,
  type Rcode,
} from "./codes.ts";
import type { Output } from "./message/names.ts";
import { maxOptLength, optLength, writeOptWithError } from "./message/opt.ts";
import { isName, type ResourceRecord } from "./message/record.ts";
import { writeSection } from "./message/section.ts";
import type { Edns, Head } from "./question.ts";
import { writeWord } from "./words.ts";

export interface ResponseContent {
  readonly head: Head;
  readonly rcode: Rcode;
  /** Records of one rrset stand together. */
  readonly answer: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  /** Shown only to a client that sent EDNS, and only where it fits. */
  readonly extendedError: ExtendedError | undefined;
  /** Bytes that the message may have; see `payloadLimit`. */
  readonly limit: number;
}

export type Transport = "udp" | "tcp";

/** Bytes that a response to this query may have. */
export function payloadLimit(edns: Edns | undefined, transport: Transport): number {
  if (transport === "tcp") return maxTcpPayload;
  if (edns === undefined) return plainUdpPayload;
  return Math.min(maxUdpPayload, Math.max(plainUdpPayload, edns.payloadSize));
}

/** Renders a response: the client's id, question bytes, RD and CD; RA set; never AA or AD, as we vouch for nothing. */
export function renderResponse(content: ResponseContent): Uint8Array {
  const { head, rcode } = content;
  const optAtMost = content.extendedError === undefined ? optLength : maxOptLength;
  const size = Math.min(content.limit, upperBound(content) + optAtMost);
  const { questionBytes } = head;
  const output: Output = { bytes: pooled(size), length: 0, questionBytes, suffixes: undefined };
  output.length = headerLength;
  output.bytes.set(questionBytes, headerLength);
  output.length += questionBytes.length;
  const room = content.limit - (head.edns === undefined ? 0 : optLength);
  const answered = writeSection(output, content.answer, room);
  const complete = answered === content.answer.length;
  const authorized = complete ? writeSection(output, content.authority, room) : 0;
  const truncated = !complete || authorized < content.authority.length;
  if (head.edns !== undefined) writeOptWithError(output, content);
  writeWord(output.bytes, 0, head.id);
  writeWord(output.bytes, 2, responseFlags(head, rcode, truncated));
  writeWord(output.bytes, 4, head.questionBytes.length > 0 ? 1 : 0);
  writeWord(output.bytes, 6, answered);
  writeWord(output.bytes, 8, authorized);
  writeWord(output.bytes, 10, head.edns === undefined ? 0 : 1);
  return output.bytes.subarray(0, output.length);
}

/** The second word of the header of a response. */
export function responseFlags({ flags }: Head, rcode: Rcode, truncated: boolean): number {
  const repeated = flagBits.opcode | flagBits.recursionDesired | flagBits.checkingDisabled;
  return (
    flagBits.response |
    flagBits.recursionAvailable |
    (flags & repeated) |
    (truncated ? flagBits.truncated : 0) |
    (rcode & flagBits.rcode)
  );
}

function upperBound({ head, answer, authority }: ResponseContent): number {
  let bound = headerLength + head.questionBytes.length;
  for (const section of [answer, authority]) {
    for (const record of section) {
      bound += record.owner.wire.length + 10;
      for (const part of record.rdata) bound += isName(part) ? part.wire.length : part.length;
    }
  }
  return bound;
}
