// What is read of an answer, and what is made of it, whichever way that goes.

import type { IpAddress } from "../../../model/address.ts";
import type { ExtendedError } from "../codes.ts";
import type { Head } from "../question.ts";

export interface AnsweredAddress {
  readonly address: IpAddress;
  /** The same in 4 or 16 bytes. */
  readonly bytes: Uint8Array;
  /** Least TTL of its records, seconds, as upstream gave it. */
  readonly ttlSeconds: number;
}

export interface AnswerRendering {
  readonly head: Head;
  readonly limit: number;
  /** From a record's TTL to the TTL in the client's answer, seconds. */
  readonly tellTtl: (ttlSeconds: number) => number;
  /** False for an address that is not granted; its record is left out. Undefined where all are granted. */
  readonly keep: ((address: IpAddress) => boolean) | undefined;
  readonly extendedError?: ExtendedError | undefined;
}
