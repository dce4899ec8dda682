// What came of asking upstream.

import type { Answer, BadAnswer } from "./wire/answer.ts";
import type { Question } from "./wire/question.ts";

/** What upstream said, or said some time ago. */
export interface Looked {
  readonly answer: Answer | BadAnswer;
  /** How long ago it came, seconds. */
  readonly ageSeconds: number;
  /** True when its time is over and no upstream could be asked (RFC 8767). */
  readonly stale: boolean;
  /** Undefined for what is not kept, or kept only for want of better. */
  readonly kept: Kept | undefined;
}

/** For how long an answer is told again before anything else is looked at, milliseconds by the clock of the lookup. */
export interface Kept {
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** Rejects when no upstream answered in time. */
export type Lookup = (question: Question) => Looked | Promise<Looked>;
