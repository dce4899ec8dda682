// What an upstream's message says to a question: the chain of CNAMEs from the question's name and the records at its
// end.

import type { IpAddress } from "../../model/address.ts";
import type { PlainRecords } from "./answer/plain.ts";
import type { AnsweredAddress } from "./answer/rendering.ts";
import type { rcodes } from "./codes.ts";
import type { ResourceRecord } from "./message/record.ts";

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

export function bad(problem: BadAnswer["problem"]): BadAnswer {
  return { kind: "bad", problem };
}
