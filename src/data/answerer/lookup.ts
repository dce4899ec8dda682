// One lookup, from the query that has arrived to the one answer that it gets:
//
//   arrived   its bytes are a query (answerer.ts)
//   waiting   the engine must tell more, of its asker or of a new container, before anything is decided (#decide)
//   decided   its asker's policies are known and count (#resolve)
//   asked     the name is allowed: the cache is asked, and an upstream (asking)
//   opened    what the answer tells is in the kernel (open)
//   answered  (#answer)
//
// It goes forward only; who waits is decided anew. What fails in any state is answered with SERVFAIL. Most lookups never
// get here: they are answered as one before them (answer-memo.ts).

import { decideForEach, type GuardedStanding, joinDecisions } from "../../core/askers/index-of-askers.ts";
import { contain } from "../../core/contain.ts";
import { labelCount } from "../../core/dns/wire/name.ts";
import type { Query } from "../../core/dns/wire/question.ts";
import { types } from "../../core/dns/wire/record-types.ts";
import type { Grant } from "../../core/grants/grant.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import type { Admission } from "../admission.ts";
import type { AnswerMemo, MemoEpoch } from "../answer-memo.ts";
import { type ReadingWaits, readingWithinMs } from "../waiting/engine-reading.ts";
import type { Waits } from "../waiting/waits.ts";
import { budgetOf, networkOf } from "./askers.ts";
import type { LookupTelling } from "./lookup-telling.ts";
import type { NetworkKnowledge } from "./network-knowledge.ts";
import type { Asked, Question } from "./question.ts";
import { refuseStranger, refuseUndecided } from "./refusals.ts";
import type { Judged, LookupSteps, Resolving } from "./resolving.ts";

/** What lookups share. */
export interface LookupParts {
  readonly networks: NetworkKnowledge;
  readonly resolving: Resolving;
  readonly admission: Pick<Admission, "admit">;
  readonly memo: AnswerMemo;
  readonly epochNow: () => MemoEpoch;
  readonly waits: Waits;
  readonly readingWaits: ReadingWaits;
  readonly telling: LookupTelling;
  /** The engine must be read again for an asker. */
  readonly onUnknown: () => void;
  /** Whether there is a container that the engine has not told of, whose names we cannot know. */
  readonly mayHaveCome: () => boolean;
}

type LookupState = "arrived" | "waiting" | "decided" | "asked" | "opened" | "answered";

/** From a question's arrival to its answer, all waits together, ms; Docker's own resolver gives up after 4 s. */
export const answerWithinMs = 3_700;

export class Lookup implements LookupSteps {
  readonly #parts: LookupParts;
  readonly #question: Question;
  readonly #query: Query;
  readonly #deadlineAtMs: number;
  /** What all is judged by; an answer that was found by other knowledge is not remembered. */
  readonly #epoch: MemoEpoch;
  #state: LookupState = "arrived";
  /** Once only: on a busy machine the next reading may be due before this one is heard of. */
  #hasWaitedForReading = false;
  #memberships: GuardedStanding["memberships"] = [];
  /** By performance.now(): when the first of its rights ends, and when it was noted that it told them. */
  #rights = { endAtMs: Number.POSITIVE_INFINITY, notedAtMs: Number.POSITIVE_INFINITY };

  constructor(parts: LookupParts, question: Question, query: Query) {
    this.#parts = parts;
    this.#question = question;
    this.#query = query;
    this.#deadlineAtMs = question.arrivedAtMs + answerWithinMs;
    this.#epoch = parts.epochNow();
  }

  begin(): void {
    contain(this.#decide, this.#fail);
  }

  /** decided → asked */
  asking(): void {
    this.#state = "asked";
  }

  /** asked → opened */
  open(grants: readonly Grant[]): void {
    const memberships = this.#memberships;
    const endAtMs = this.#parts.admission.admit(grants, (address) => networkOf(address, memberships));
    this.#state = "opened";
    const notedAtMs = performance.now();
    this.#rights = { endAtMs: notedAtMs + (endAtMs - monotonicMs()), notedAtMs };
  }

  /** arrived, waiting → waiting, decided, answered */
  readonly #decide = (): void => {
    const standing = this.#question.standing();
    if (standing.kind !== "guarded") {
      this.#answer(refuseStranger(this.#question.message, this.#question.transport));
      return;
    }
    const leftMs = this.#deadlineAtMs - performance.now();
    if (this.#isUndecided(standing)) this.#waitForAsker(standing, leftMs);
    else if (!this.#waitsForName(standing, leftMs)) this.#resolve(standing);
  };

  /** Whether more knowledge of its asker may turn the decision round: it is not made before that is there. */
  #isUndecided({ settled, mayLose, memberships }: GuardedStanding): boolean {
    if (settled || memberships.every(({ labels }) => labels.mode === "audit")) return false;
    const { question } = this.#query;
    // Docker's own names are nobody's to lose.
    if (this.#parts.networks.findLocal(question, memberships) !== undefined) return false;
    return mayLose || !joinDecisions(decideForEach(memberships, question.name, monotonicMs())).allowed;
  }

  /** Without time or a place to wait nothing is decided: nobody is given what may be taken from them. */
  #waitForAsker({ memberships }: GuardedStanding, leftMs: number): void {
    const { onUnknown, waits } = this.#parts;
    onUnknown();
    this.#state = "waiting";
    if (leftMs > 0 && waits.wait(budgetOf(memberships), leftMs, () => this.begin())) return;
    this.#answer(refuseUndecided(this.#query, this.#question.transport));
  }

  /** A container may have come that is called so. @returns whether it waits until the engine has told */
  #waitsForName({ memberships }: GuardedStanding, leftMs: number): boolean {
    const { networks, mayHaveCome, readingWaits } = this.#parts;
    const { question } = this.#query;
    if (this.#hasWaitedForReading || leftMs < readingWithinMs) return false;
    if (!networks.isUnknownLabel(question, memberships) || !mayHaveCome()) return false;
    const waits = readingWaits.wait(budgetOf(memberships), question.name, () => this.begin());
    if (!waits) return false;
    this.#hasWaitedForReading = true;
    this.#state = "waiting";
    return true;
  }

  /** decided → (asked → (opened)) → answered */
  #resolve(standing: GuardedStanding): void {
    this.#state = "decided";
    const { memberships } = standing;
    this.#memberships = memberships;
    const { transport, isGone } = this.#question;
    const asked: Asked = {
      query: this.#query,
      transport,
      asker: budgetOf(memberships),
      memberships,
      standing: this.#question.standing,
      deadlineAtMs: this.#deadlineAtMs,
      isGone,
    };
    const judged = this.#parts.resolving.resolve(asked, this);
    const conclude = (ended: Judged): void => this.#conclude(asked, standing, ended);
    if (judged instanceof Promise) judged.then(conclude).catch(this.#fail);
    else conclude(judged);
  }

  #conclude(asked: Asked, standing: GuardedStanding, judged: Judged): void {
    const { memo, telling } = this.#parts;
    const event = telling.over(asked, judged);
    const { bytes, outcome, repeats } = judged.resolution;
    const isSame = standing.settled && this.#question.standing() === standing;
    if (repeats !== undefined && isSame && mayRepeat(asked)) {
      const { endAtMs: rightsEndAtMs, notedAtMs: rightsNotedAtMs } = this.#rights;
      const finished = { bytes, outcome, repeats, rightsEndAtMs, rightsNotedAtMs, event };
      memo.keep(standing, this.#question.message, this.#epoch, finished);
    }
    this.#answer(bytes);
  }

  readonly #fail = (error: unknown): void => {
    this.#parts.telling.failure(error);
    this.#answer(refuseStranger(this.#question.message, this.#question.transport));
  };

  /** → answered; once. */
  #answer(bytes: Uint8Array | undefined): void {
    if (this.#state === "answered") return;
    this.#state = "answered";
    this.#question.reply(bytes);
  }
}

/** What time alone may change is looked at anew, as is what may become a name of Docker's without a new picture. */
function mayRepeat({ query: { question }, transport, memberships }: Asked): boolean {
  const ends = memberships.some(({ policy }) => policy.lists.some(({ endsAtMs }) => endsAtMs !== undefined));
  return !ends && transport === "udp" && question.type !== types.ptr && labelCount(question.qname) > 1;
}
