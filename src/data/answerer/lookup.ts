// One lookup, from the query that has arrived to the one answer that it gets:
//
//   arrived   its bytes are a query (answerer.ts)
//   waiting   the engine must tell more, of its asker or of a new container, before anything is decided (decide)
//   decided   its asker's policies are known and count (#resolve)
//   asked     the name is allowed: the cache is asked, and an upstream (resolving.ts)
//   opened    what the answer tells is in the kernel (#open)
//   answered  (#answer)
//
// It goes forward only; who waits is decided anew with all that is learnt (core/waiting.ts). What fails in any state, or
// cannot be decided in time, is answered with SERVFAIL and the reason. No step asks whether a lookup is decided, asked or
// opened: of these states the code keeps no note. Most lookups never get here: they are answered as one before them
// (answer-memo.ts).

import { decideForEach, joinDecisions } from "../../core/askers/decided.ts";
import type { GuardedStanding } from "../../core/askers/standing.ts";
import { tellFailure } from "../../core/contain.ts";
import type { Query } from "../../core/dns/wire/question.ts";
import type { Grant } from "../../core/grants/grant.ts";
import type { IpAddress } from "../../core/model/address.ts";
import type { Taker } from "../../core/taker.ts";
import type { Waiter, Waiting } from "../../core/waiting.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import type { Admission } from "../admission.ts";
import type { AnswerMemo, MemoEpoch } from "../answer-memo.ts";
import type { NameReadings } from "../waiting/name-readings.ts";
import { type Arrival, type Asked, mayRepeat } from "./arrival.ts";
import { factsOf, networkOf } from "./askers.ts";
import type { LookupTelling } from "./lookup-telling.ts";
import type { NetworkKnowledge } from "./network-knowledge.ts";
import { type Reason, refuseQuery, type Unknown } from "./refusals.ts";
import type { Judged, Resolving } from "./resolving.ts";

/** What lookups share. */
export interface LookupParts {
  readonly networks: NetworkKnowledge;
  readonly resolving: Resolving;
  readonly admission: Pick<Admission, "admitInTurn" | "holderOf">;
  readonly memo: AnswerMemo;
  readonly epochNow: () => MemoEpoch;
  readonly waiting: Waiting;
  readonly nameReadings: NameReadings;
  readonly telling: LookupTelling;
  /** The engine must be read again for an asker. */
  readonly onUnknown: () => void;
  /** Whether there is a container that the engine has not told of, whose names we cannot know. */
  readonly mayHaveCome: () => boolean;
}

/** Of the states above, those that a later step asks for. */
type LookupState = "arrived" | "waiting" | "answered";

/** From a question's arrival to its answer, all waits together, ms; Docker's own resolver gives up after 4 s. */
export const answerWithinMs = 3_700;
/** How long of it a lookup waits for the engine, ms. */
const knownWithinMs = 3_500;

const noRights = { endAtMs: Number.POSITIVE_INFINITY, notedAtMs: Number.POSITIVE_INFINITY };

export class Lookup implements Waiter {
  /** Whose places it waits in. */
  asker = "";
  readonly #parts: LookupParts;
  readonly #arrival: Arrival;
  readonly #query: Query;
  /** What all is judged by; an answer that was found by other knowledge is not remembered. */
  readonly #epoch: MemoEpoch;
  #state: LookupState = "arrived";
  /** What it waits for. */
  #waitsFor: Unknown = "stranger";
  /** Whether the engine has been read since it was asked for a name that nobody is known by. */
  #isRead: (() => boolean) | undefined;
  #memberships: GuardedStanding["memberships"] = [];
  /** Who asked: the address may be another's when there is an answer. */
  #holder: string | undefined;
  /** By performance.now(): when the first of its rights ends, and when it was noted that it told them. */
  #rights = noRights;

  constructor(parts: LookupParts, arrival: Arrival, query: Query) {
    this.#parts = parts;
    this.#arrival = arrival;
    this.#query = query;
    this.#epoch = parts.epochNow();
  }

  get deadlineAtMs(): number {
    return this.#arrival.arrivedAtMs + knownWithinMs;
  }

  begin(): void {
    try {
      if (this.decide() === "decided") return;
      this.asker = factsOf(this.#memberships).budget || (this.#arrival.source ?? "");
      if (!this.#parts.waiting.add(this)) this.refuse();
    } catch (error) {
      tellFailure(error, (cause) => this.#fail(cause));
    }
  }

  /** arrived, waiting → waiting, decided, answered */
  decide(): "decided" | "waits" {
    const standing = this.#arrival.standing();
    if (standing.kind === "open") {
      this.#refuse("stranger");
      return "decided";
    }
    if (standing.kind === "unknown") return this.#wait("stranger");
    const awaited = this.#awaitedOf(standing);
    if (awaited !== undefined) return this.#wait(awaited);
    this.#resolve(standing);
    return "decided";
  }

  #wait(awaited: Unknown): "waits" {
    // For a stranger the engine is asked once: a sender can forge one after the other.
    const isAsked = this.#state === "waiting" && awaited === "stranger";
    if (awaited !== "name" && !isAsked) this.#parts.onUnknown();
    this.#state = "waiting";
    this.#waitsFor = awaited;
    return "waits";
  }

  /** waiting → answered: nobody is given what may be taken from them, nor denied what a new container may be. */
  refuse(): void {
    this.#refuse(this.#waitsFor);
  }

  /** asked → opened, with all others of this turn of the event loop */
  #open(grants: readonly Grant[], taker: Taker<void>): void {
    const memberships = this.#memberships;
    const networkAt = (address: IpAddress): string => networkOf(address, memberships);
    this.#parts.admission.admitInTurn(
      { grants, networkOf: networkAt, holder: this.#holder },
      {
        take: (endAtMs) => {
          this.#opened(endAtMs);
          taker.take();
        },
        fail: (error) => taker.fail(error),
      },
    );
  }

  #opened(endAtMs: number): void {
    const notedAtMs = performance.now();
    this.#rights = { endAtMs: notedAtMs + (endAtMs - monotonicMs()), notedAtMs };
  }

  /** What must be known before anything is decided; undefined for nothing. */
  #awaitedOf(standing: GuardedStanding): "asker" | "name" | undefined {
    this.#memberships = standing.memberships;
    if (this.#isUndecided(standing)) return "asker";
    const { networks, mayHaveCome, nameReadings } = this.#parts;
    const { question } = this.#query;
    if (this.#mayBeInside(standing)) return "asker";
    if (!networks.isUnknownLabel(question, standing.memberships) || !mayHaveCome()) return undefined;
    this.#isRead ??= nameReadings.demand(question.name);
    return this.#isRead() ? undefined : "name";
  }

  /** Whether more knowledge of its asker may turn the decision round: it is not made before that is there. */
  #isUndecided({ settled, mayLose, memberships }: GuardedStanding): boolean {
    if (settled || memberships.every(({ labels }) => labels.mode === "audit")) return false;
    // Docker's own names are nobody's to lose.
    return !this.#isLocal(memberships) && (mayLose || !this.#isAllowed(memberships));
  }

  /** Whether it depends on networks that the engine has not told of: it may be on internal ones only. */
  #mayBeInside({ memberships }: GuardedStanding): boolean {
    if (this.#parts.networks.leadsOutside(memberships) !== undefined) return false;
    return !this.#isLocal(memberships) && (factsOf(memberships).isAudited || this.#isAllowed(memberships));
  }

  #isLocal(memberships: GuardedStanding["memberships"]): boolean {
    return this.#parts.networks.findLocal(this.#query.question, memberships) !== undefined;
  }

  #isAllowed(memberships: GuardedStanding["memberships"]): boolean {
    return joinDecisions(decideForEach(memberships, this.#query.question.name, monotonicMs())).allowed;
  }

  /** decided → (asked → (opened)) → answered */
  #resolve(standing: GuardedStanding): void {
    const { memberships } = standing;
    const { transport, isGone, sandbox, source } = this.#arrival;
    this.#holder = sandbox ?? (source === undefined ? undefined : this.#parts.admission.holderOf(source));
    const facts = factsOf(memberships);
    const asked: Asked = {
      query: this.#query,
      transport,
      asker: facts.budget,
      memberships,
      facts,
      standing: this.#arrival.standing,
      deadlineAtMs: this.#arrival.arrivedAtMs + answerWithinMs,
      isGone,
    };
    this.#parts.resolving.resolve(
      asked,
      (grants, taker) => this.#open(grants, taker),
      (judged) => this.#end(asked, standing, judged),
    );
  }

  #end(asked: Asked, standing: GuardedStanding, judged: Judged): void {
    try {
      this.#conclude(asked, standing, judged);
    } catch (error) {
      tellFailure(error, (cause) => this.#fail(cause));
    }
  }

  #conclude(asked: Asked, standing: GuardedStanding, judged: Judged): void {
    const { memo, telling } = this.#parts;
    const event = telling.over(asked, judged);
    const { bytes, outcome, refused, repeats } = judged.resolution;
    const isSame = standing.settled && this.#arrival.standing() === standing;
    if (repeats !== undefined && isSame && mayRepeat(asked)) {
      const { endAtMs: rightsEndAtMs, notedAtMs: rightsNotedAtMs } = this.#rights;
      const rights = { rightsEndAtMs, rightsNotedAtMs };
      const finished = { bytes, outcome, refused: refused.length, repeats, ...rights, event };
      memo.keep(standing, this.#arrival.message, this.#epoch, finished);
    }
    this.#answer(bytes);
  }

  #fail(error: unknown): void {
    this.#parts.telling.failure(error);
    this.#refuse("failure");
  }

  #refuse(reason: Reason): void {
    this.#answer(refuseQuery(this.#query, this.#arrival.transport, reason));
  }

  /** → answered; once. */
  #answer(bytes: Uint8Array): void {
    if (this.#state === "answered") return;
    this.#state = "answered";
    this.#arrival.reply(bytes);
  }
}
