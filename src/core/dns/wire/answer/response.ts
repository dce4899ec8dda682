// An answer as it is told: to a client, or short enough for what keeps it.

import type { Answer, AnswerRecord } from "../answer.ts";
import { classIn, maxTcpPayload } from "../codes.ts";
import type { ResourceRecord } from "../message/record.ts";
import { renderResponse } from "../message.ts";
import type { Question } from "../question.ts";
import { types } from "../record-types.ts";
import { localSoa } from "../respond.ts";
import { writeWord } from "../words.ts";
import { renderPlain } from "./plain.ts";
import type { AnswerRendering } from "./rendering.ts";

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
