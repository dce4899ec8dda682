// From an upstream's bytes to the part that answers the question: the chain of CNAMEs from the question's name and the
// records at its end. Nothing else in the message deserves trust, so it is left out.

import { addressFromBytes, type IpAddress } from "../../model/address.ts";
import { type PlainRecords, readPlain, renderPlain } from "./answer/plain.ts";
import type { AnsweredAddress, AnswerRendering } from "./answer/rendering.ts";
import { classIn, flagBits, headerLength, maxTcpPayload, rcodes } from "./codes.ts";
import { KnownNames, type Located, locate, readSection } from "./located.ts";
import { type ResourceRecord, renderResponse } from "./message.ts";
import { isWithin, type Name, nameText, readName } from "./name.ts";
import type { Question } from "./question.ts";
import { readRdata } from "./rdata.ts";
import { types } from "./record-types.ts";
import { localSoa } from "./respond.ts";
import { readWord, writeWord } from "./words.ts";

/** CNAMEs that are followed in one answer. */
const maxChain = 16;

/** A "no" holds no longer, seconds: a name that is new is wanted soon (RFC 2308 5 allows a limit). */
const maxNegativeTtlSeconds = 900;

/** A record of the answer; `address` is that of an A or AAAA record. */
export interface AnswerRecord extends ResourceRecord {
  readonly address: IpAddress | undefined;
}

export interface Answer {
  readonly kind: "answer";
  readonly rcode: typeof rcodes.noError | typeof rcodes.nxDomain;
  /** The names along the chain in presentation form, the question's first. */
  readonly chainNames: readonly string[];
  /** Without repetitions, in the order of the records. */
  readonly addresses: readonly AnsweredAddress[];
  /** CNAMEs first, in the order of the chain. Empty, or CNAMEs only, for a "no". */
  readonly records: readonly AnswerRecord[];
  /** For a "no": how long it holds. Its TTL is the negative TTL of RFC 2308 5. */
  readonly soa: ResourceRecord | undefined;
  /** How long the answer as a whole may be kept, seconds; 0 for a "no" without SOA. */
  readonly ttlSeconds: number;
  /** The records where they stand, if they are nothing but the addresses of the question's name. */
  readonly plain: PlainRecords | undefined;
}

/** A message that answers nothing; the client gets SERVFAIL. */
export interface BadAnswer {
  readonly kind: "bad";
  readonly problem: "malformed" | "another-question" | "truncated" | "upstream-error" | "chain";
}

/** Walks an upstream's message. Who sent it, and its id, were checked by the transport. */
export function walkAnswer(message: Uint8Array, question: Question): Answer | BadAnswer {
  const plain = readPlain(message, question);
  return plain === undefined ? walkRecords(message, question) : new PlainAnswer(plain, question);
}

/** Walked only when that is asked for: mostly it is told again as it is. */
class PlainAnswer implements Answer {
  readonly kind = "answer";
  readonly rcode = rcodes.noError;
  readonly soa = undefined;
  readonly plain: PlainRecords;
  readonly addresses: readonly AnsweredAddress[];
  readonly ttlSeconds: number;
  readonly #question: Question;

  constructor(plain: PlainRecords, question: Question) {
    this.plain = plain;
    this.addresses = plain.addresses;
    this.ttlSeconds = plain.ttlSeconds;
    this.#question = question;
  }

  get chainNames(): readonly string[] {
    return [this.#question.name];
  }

  get records(): readonly AnswerRecord[] {
    const walked = walkRecords(this.plain.message, this.#question);
    if (walked.kind === "bad") throw new Error("records were plain, and are bad");
    return walked.records;
  }
}

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

/** The client's answer. When all that it had is left out, it has become a "no" of ours, with our SOA. */
export function renderAnswer(answer: Answer, rendering: AnswerRendering): Uint8Array {
  const told = answer.plain && renderPlain(answer.plain, rendering);
  if (told !== undefined) return told;
  const { head, limit, tellTtl, keep = () => true, extendedError } = rendering;
  const shaped = (record: AnswerRecord): ResourceRecord => ({
    ...record,
    ttlSeconds: tellTtl(record.ttlSeconds),
  });
  const kept = answer.records.filter((record) => record.address === undefined || keep(record.address));
  const emptied = kept.length < answer.records.length && kept.every((record) => record.type === types.cname);
  const soa = emptied
    ? localSoa(head)
    : answer.soa && { ...answer.soa, ttlSeconds: tellTtl(answer.soa.ttlSeconds) };
  return renderResponse({
    head,
    rcode: answer.rcode,
    answer: kept.map(shaped),
    authority: soa === undefined ? [] : [soa],
    extendedError,
    limit,
  });
}

/** A message with the same answer, but for what is beyond so many addresses; undefined where nothing is. */
export function shortenAnswer(answer: Answer, question: Question, atMost: number): Uint8Array | undefined {
  const { addresses, plain } = answer;
  if (plain !== undefined && plain.end - plain.start <= atMost * plain.size) return undefined;
  const { records } = answer;
  if (records.length <= atMost || addresses.length === 0) return undefined;
  const first = new Set(addresses.slice(0, atMost).map(({ address }) => address));
  const kept = records.filter(({ address }) => address === undefined || first.delete(address));
  const questionBytes = new Uint8Array(question.qname.wire.length + 4);
  questionBytes.set(question.qname.wire);
  writeWord(questionBytes, question.qname.wire.length, question.type);
  writeWord(questionBytes, question.qname.wire.length + 2, classIn);
  const head = { id: 0, flags: 0, questionBytes, edns: undefined };
  const authority: readonly ResourceRecord[] = [];
  const limit = maxTcpPayload;
  return renderResponse({
    head,
    rcode: answer.rcode,
    answer: kept,
    authority,
    extendedError: undefined,
    limit,
  });
}

function bad(problem: BadAnswer["problem"]): BadAnswer {
  return { kind: "bad", problem };
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

interface Chain {
  readonly links: readonly AnswerRecord[];
  readonly targets: readonly Name[];
  readonly found: readonly AnswerRecord[];
  /** Where the chain ends. */
  readonly last: Name;
}

function followChain(
  message: Uint8Array,
  records: readonly Located[],
  question: Question,
): Chain | BadAnswer {
  const links: AnswerRecord[] = [];
  const targets: Name[] = [];
  let last = question.qname;
  for (;;) {
    const found = readRrset(message, records, { owner: last, type: question.type });
    if (found === undefined) return bad("malformed");
    if (found.length > 0) return { links, targets, found, last };
    const cnames = readRrset(message, records, { owner: last, type: types.cname });
    if (cnames === undefined) return bad("malformed");
    const [link] = cnames;
    if (link === undefined) return { links, targets, found, last };
    const target = targetOf(link);
    // Two different CNAMEs at one name lead nowhere (RFC 2181 10.1); a repeated one does no harm.
    if (target === undefined || cnames.some((other) => targetOf(other)?.key !== target.key))
      return bad("malformed");
    const isVisited =
      target.key === question.qname.key || targets.some((before) => before.key === target.key);
    if (isVisited || links.length === maxChain) return bad("chain");
    links.push(link);
    targets.push(target);
    last = target;
  }
}

function targetOf(cname: ResourceRecord): Name | undefined {
  const [target] = cname.rdata;
  return target !== undefined && "key" in target ? target : undefined;
}

/** The records of one owner and type with one TTL, the least (RFC 2181 5.2); undefined when one of them is malformed. */
function readRrset(
  message: Uint8Array,
  all: readonly Located[],
  { owner, type }: { readonly owner: Name; readonly type: number },
): readonly AnswerRecord[] | undefined {
  const isOne = (record: Located): boolean => record.type === type && record.owner.key === owner.key;
  let ttlSeconds = Number.MAX_SAFE_INTEGER;
  for (const record of all) if (isOne(record)) ttlSeconds = Math.min(ttlSeconds, record.ttlSeconds);
  const records: AnswerRecord[] = [];
  for (const record of all) {
    if (!isOne(record)) continue;
    const rdata = readRdata(message, type, record.start, record.length);
    if (rdata === undefined) return undefined;
    const address =
      type === types.a || type === types.aaaa
        ? addressFromBytes(message.subarray(record.start, record.start + record.length))
        : undefined;
    records.push({ owner: record.owner, type, ttlSeconds, rdata, address });
  }
  return records;
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
