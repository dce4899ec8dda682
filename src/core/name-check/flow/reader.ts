// What a flow asks of a reader of its protocol.

import type { Refusal } from "../refusals.ts";
import type { ClientStream } from "./client-stream.ts";
import type { AskedAs } from "./steps.ts";

/** Why nothing more of the flow may pass; the name, if one was read. */
export interface Objection {
  readonly refusal: Refusal;
  readonly name?: string;
}

export interface Reading {
  /** The position before which all may pass; undefined when all may that was read. */
  readonly undecidedFrom: number | undefined;
  /** Names that were read now and are allowed. */
  readonly names: readonly string[];
}

export interface Reader {
  readonly as: AskedAs;
  /** Reads what the stream has more than when it was called last. */
  read(stream: ClientStream): Reading | Objection;
  /** Whether the first bytes of the server's answer are still to be understood. */
  readonly listens: boolean;
  /** What the answer, as far as it is there, makes of the flow: nothing yet, or one whose rest need not be read. */
  answered(answer: Uint8Array, stream: ClientStream): "on" | "admitted" | Objection;
  /** Whether the client has nothing to say until the server has answered. */
  readonly isBlocked: boolean;
  /** The position from which on bytes are read again, though the server may have acknowledged them. */
  readonly keepFrom: number;
  /** Whether all was read that may decide, until what follows the next byte. */
  readonly isBetween: boolean;
}
