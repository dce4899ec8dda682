// An answer read record by record, which goes for answers of any kind; most are plain, and read in less time (plain.ts).

import type { IpAddress } from "../../../model/address.ts";
import { type Answer, type AnswerRecord, type BadAnswer, bad } from "../answer.ts";
import { classIn, flagBits, headerLength, rcodes } from "../codes.ts";
import { KnownNames, locate, readSection } from "../located.ts";
import type { ResourceRecord } from "../message/record.ts";
import { isWithin, type Name, nameText, readName } from "../name.ts";
import type { Question } from "../question.ts";
import { readRdata } from "../rdata.ts";
import { types } from "../record-types.ts";
import { readWord } from "../words.ts";
import { followChain } from "./chain.ts";
import type { AnsweredAddress } from "./rendering.ts";

/** A "no" holds no longer, seconds: a name that is new is wanted soon (RFC 2308 5 allows a limit). */
const maxNegativeTtlSeconds = 900;

/** The same record by record, which takes longer, for answers of any kind. */
export function walkRecords(message: Uint8Array, question: Question): Answer | BadAnswer {
  const checked = checkHeader(message, question);
  if ("problem" in checked) return checked;
  const names = new KnownNames(question.qname);
  const section = readSection({ message, names, start: checked.end, count: readWord(message, 6), question });
  if (section === undefined) return bad("malformed");
  const chain = followChain(message, section.records, question);
  if ("problem" in chain) return chain;
  if (chain.found.length > 0 && checked.rcode !== rcodes.noError) return bad("malformed");
  const records = chain.links.length === 0 ? chain.found : [...chain.links, ...chain.found];
  const negative = chain.found.length === 0;
  const soa = negative
    ? findSoa({ message, names, start: section.end, count: readWord(message, 8), last: chain.last })
    : undefined;
  if (soa === "malformed") return bad("malformed");
  return {
    kind: "answer",
    rcode: checked.rcode,
    chainNames: [question.name, ...chain.targets.map(nameText)],
    addresses: addressesOf(chain.found),
    records,
    soa,
    ttlSeconds: negative && soa === undefined ? 0 : leastTtl(records, soa?.ttlSeconds),
    plain: undefined,
  };
}

function leastTtl(records: readonly AnswerRecord[], atMost = Number.POSITIVE_INFINITY): number {
  let least = atMost;
  for (const { ttlSeconds } of records) least = Math.min(least, ttlSeconds);
  return least;
}

/** `end` is the first byte behind the question. */
function checkHeader(
  message: Uint8Array,
  question: Question,
): { readonly rcode: Answer["rcode"]; readonly end: number } | BadAnswer {
  if (message.length < headerLength) return bad("malformed");
  const flags = readWord(message, 2);
  if ((flags & flagBits.response) === 0 || (flags & flagBits.opcode) !== 0) return bad("malformed");
  const rcode = flags & flagBits.rcode;
  if (rcode !== rcodes.noError && rcode !== rcodes.nxDomain) return bad("upstream-error");
  if (readWord(message, 4) !== 1) return bad("malformed");
  const read = readName(message, headerLength, "refused");
  if (read === undefined || read.end + 4 > message.length) return bad("malformed");
  const same =
    read.name.key === question.qname.key &&
    readWord(message, read.end) === question.type &&
    readWord(message, read.end + 2) === classIn;
  if (!same) return bad("another-question");
  if ((flags & flagBits.truncated) !== 0) return bad("truncated");
  return { rcode, end: read.end + 4 };
}

function addressesOf(records: readonly AnswerRecord[]): readonly AnsweredAddress[] {
  const [only] = records;
  if (only?.address === undefined) return [];
  const [bytes] = only.rdata;
  if (records.length === 1 && bytes instanceof Uint8Array)
    return [{ address: only.address, bytes, ttlSeconds: only.ttlSeconds }];
  const seen = new Map<IpAddress, AnsweredAddress>();
  for (const { address, ttlSeconds, rdata } of records) {
    const [bytes] = rdata;
    if (address === undefined || !(bytes instanceof Uint8Array) || seen.has(address)) continue;
    seen.set(address, { address, bytes, ttlSeconds });
  }
  return [...seen.values()];
}

/** The SOA of a zone that the end of the chain lies in; its TTL is the negative TTL. */
function findSoa({
  message,
  names,
  start,
  count,
  last,
}: {
  readonly message: Uint8Array;
  readonly names: KnownNames;
  readonly start: number;
  readonly count: number;
  readonly last: Name;
}): ResourceRecord | undefined | "malformed" {
  let offset = start;
  for (let index = 0; index < count; index++) {
    const located = locate(message, offset, names);
    if (located === undefined) return "malformed";
    offset = located.end;
    const { record } = located;
    if (record?.type !== types.soa || !isWithin(last, record.owner)) continue;
    const rdata = readRdata(message, types.soa, record.start, record.length);
    const numbers = rdata?.[2];
    if (rdata === undefined || !(numbers instanceof Uint8Array)) return "malformed";
    const minimum = new DataView(numbers.buffer, numbers.byteOffset, numbers.byteLength).getUint32(16);
    const ttlSeconds = Math.min(
      record.ttlSeconds,
      minimum > 0x7fff_ffff ? 0 : minimum,
      maxNegativeTtlSeconds,
    );
    return { owner: record.owner, type: types.soa, ttlSeconds, rdata };
  }
  return undefined;
}
