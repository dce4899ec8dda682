// From an upstream's bytes to the part that answers the question. Nothing else in the message deserves trust, so it is
// left out.

import type { Answer, AnswerRecord, BadAnswer } from "../answer.ts";
import { rcodes } from "../codes.ts";
import type { Question } from "../question.ts";
import { type PlainRecords, readPlain } from "./plain.ts";
import { walkRecords } from "./records.ts";
import type { AnsweredAddress } from "./rendering.ts";

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
