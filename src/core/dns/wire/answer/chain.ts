// The CNAMEs from the question's name, and the records at their end.

import { addressFromBytes } from "../../../model/address.ts";
import { type AnswerRecord, type BadAnswer, bad } from "../answer.ts";
import type { Located } from "../located.ts";
import type { ResourceRecord } from "../message/record.ts";
import type { Name } from "../name.ts";
import type { Question } from "../question.ts";
import { readRdata } from "../rdata.ts";
import { types } from "../record-types.ts";

/** CNAMEs that are followed in one answer. */
const maxChain = 16;

interface Chain {
  readonly links: readonly AnswerRecord[];
  readonly targets: readonly Name[];
  readonly found: readonly AnswerRecord[];
  /** Where the chain ends. */
  readonly last: Name;
}

export function followChain(
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
