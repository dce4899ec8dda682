// Answers that we make ourselves. Each takes the head of the query and the maximum size of the response in bytes.

import { addressBytes, familyOf, type IpAddress } from "../../model/address.ts";
import { type ExtendedError, type Rcode, rcodes } from "./codes.ts";
import type { ResourceRecord } from "./message/record.ts";
import { renderResponse } from "./message.ts";
import { type Name, nameFromPlainText, nameOf, parentName, rootName } from "./name.ts";
import type { Head, ReplyNow } from "./question.ts";
import { types } from "./record-types.ts";

/** How long a client may keep a "no" of ours, seconds: short, as a changed label must be felt at once. */
const negativeTtlSeconds = 5;

/** What Docker's own resolver gives, seconds (libnetwork `respTTL`). */
const discoveryTtlSeconds = 600;

/** RFC 8482 asks for a long one, seconds; it keeps ANY from being asked again. */
const anyTtlSeconds = 3600;

export interface LocalReply {
  readonly head: Head;
  readonly limit: number;
  readonly extendedError?: ExtendedError | undefined;
}

/** An error without records: SERVFAIL, REFUSED, FORMERR, NOTIMP, BADVERS. */
export function respondError(reply: LocalReply & { readonly rcode: Rcode }): Uint8Array {
  return respond(reply, reply.rcode, [], []);
}

/** The answer to what needs no decision. */
export function respondNow(query: ReplyNow, limit: number): Uint8Array {
  return respondError({ head: query, limit, rcode: query.rcode });
}

/** The name does not exist. */
export function respondNxDomain(reply: LocalReply): Uint8Array {
  return respond(reply, rcodes.nxDomain, [], [localSoa(reply.head)]);
}

/** The name exists and has nothing of this type. */
export function respondNoData(reply: LocalReply): Uint8Array {
  return respond(reply, rcodes.noError, [], [localSoa(reply.head)]);
}

/** ANY: a subset that nobody can amplify (RFC 8482 4.2). */
export function respondAny(reply: LocalReply): Uint8Array {
  const rdata = [characterString("RFC8482"), characterString("")];
  return respond(
    reply,
    rcodes.noError,
    [{ owner: qnameOf(reply.head), type: types.hinfo, ttlSeconds: anyTtlSeconds, rdata }],
    [],
  );
}

/** Addresses of one of Docker's own names; the family must fit the question's type. */
export function respondAddresses(
  reply: LocalReply & { readonly addresses: readonly IpAddress[] },
): Uint8Array {
  const owner = qnameOf(reply.head);
  const records = reply.addresses.map((address) => ({
    owner,
    type: familyOf(address) === 4 ? types.a : types.aaaa,
    ttlSeconds: discoveryTtlSeconds,
    rdata: [addressBytes(address)],
  }));
  return respond(reply, rcodes.noError, records, []);
}

/** The names of one of Docker's own addresses. Names that cannot stand on the wire are left out. */
export function respondPointers(reply: LocalReply & { readonly targets: readonly string[] }): Uint8Array {
  const owner = qnameOf(reply.head);
  const names = reply.targets.flatMap((target) => nameFromPlainText(target) ?? []);
  const records = names.map((name) => ({
    owner,
    type: types.ptr,
    ttlSeconds: discoveryTtlSeconds,
    rdata: [name],
  }));
  return respond(reply, rcodes.noError, records, []);
}

/** The SOA that says how long a "no" holds (RFC 2308 5). Its owner is the parent, as if that were the zone. */
export function localSoa(head: Head): ResourceRecord {
  const owner = parentName(qnameOf(head));
  return { owner, type: types.soa, ttlSeconds: negativeTtlSeconds, rdata: soaRdata };
}

const soaRdata = [
  nameFromPlainText("dockerwall.invalid") ?? rootName,
  nameFromPlainText("nobody.invalid") ?? rootName,
  // Serial, refresh, retry, expire, and the TTL of a "no".
  ...[1, 3600, 600, 86_400, negativeTtlSeconds].map((value) =>
    Uint8Array.of(value >> 24, value >> 16, value >> 8, value),
  ),
];
const encoder = new TextEncoder();

function respond(
  { head, limit, extendedError }: LocalReply,
  rcode: Rcode,
  answer: readonly ResourceRecord[],
  authority: readonly ResourceRecord[],
): Uint8Array {
  return renderResponse({ head, rcode, answer, authority, extendedError, limit });
}

function qnameOf(head: Head): Name {
  const { questionBytes } = head;
  return questionBytes.length === 0 ? rootName : nameOf(questionBytes.subarray(0, questionBytes.length - 4));
}

function characterString(text: string): Uint8Array {
  const bytes = encoder.encode(text);
  return Uint8Array.of(bytes.length, ...bytes);
}
