// Reports of lookups: each goes to the journal; what went wrong goes to the log now and then.

import type { Standing } from "../../core/askers/standing.ts";
import { canaryName } from "../../core/dns/probe.ts";
import { asksAsResolver } from "../../core/dns/resolve/here.ts";
import type { Outcome, Resolution } from "../../core/dns/resolve/resolution.ts";
import { nameOfType, recordType } from "../../core/dns/wire/record-types.ts";
import type { LookupEvent, LookupKind } from "../../core/journal/lookup-event.ts";
import type { LookupTrouble } from "../../core/model/report/stats.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import { messageOf } from "../../errors.ts";
import type { FinishedAnswer } from "../answer-memo.ts";
import { countLookup, countRepeated } from "../lookup-counts.ts";
import { createRateLimited } from "../rate-limited.ts";
import type { Asked } from "./arrival.ts";
import type { Judged } from "./resolving.ts";

export interface LookupTellingOptions {
  readonly onLookup: (event: LookupEvent) => void;
  /** @param kind the same object for all lookups that are answered from one */
  readonly onRepeatedLookup: (kind: LookupKind, atMs: number) => void;
  readonly onProblem: (problem: string) => void;
}

/** Containers can make lookups fail at will; the log is not theirs to fill. */
const betweenFailuresMs = 1_000;
/** A resolver in a container asks so with every lookup. */
const betweenResolversMs = 60_000;

export class LookupTelling {
  readonly #options: LookupTellingOptions;
  readonly #failures: (sentence: string) => void;
  readonly #excess: (sentence: string) => void;
  readonly #resolvers: (sentence: string) => void;

  constructor(options: LookupTellingOptions) {
    this.#options = options;
    const limited = (everyMs: number) =>
      createRateLimited(options.onProblem, () => performance.now(), everyMs);
    this.#failures = limited(betweenFailuresMs);
    this.#excess = limited(betweenFailuresMs);
    this.#resolvers = limited(betweenResolversMs);
  }

  /** One went wrong on our side. */
  readonly failure = (error: unknown): void => this.#failures(`a lookup failed: ${messageOf(error)}`);

  /** One is over. @returns what went to the journal; undefined for nothing */
  over(asked: Asked, judged: Judged): LookupKind | undefined {
    countLookup(judged.resolution);
    this.#warn(asked, judged.resolution);
    const event = eventOf(asked, judged);
    if (event !== undefined) this.#options.onLookup(event);
    return event;
  }

  /** One was answered as one before it. */
  repeated({ outcome, refused, event }: Pick<FinishedAnswer, "outcome" | "refused" | "event">): void {
    countRepeated(outcome, refused);
    if (event !== undefined) this.#options.onRepeatedLookup(event, monotonicMs());
  }

  /** What is no query has no policy: it is for a server that an entry must name. */
  noQuery(zone: string, standing: Standing): void {
    const speaker = standing.kind === "guarded" ? standing.memberships[0] : undefined;
    const asker = speaker?.addresses[0];
    if (speaker === undefined || asker === undefined) return;
    const { networkId } = speaker;
    const what = { domain: zone, allowed: false, trouble: "no-query", granted: [] } as const;
    this.#options.onLookup({ ...what, networkId, asker, atMs: monotonicMs() });
  }

  #warn({ asker, query: { question } }: Asked, { outcome, cause, excess }: Resolution): void {
    const { name } = question;
    if (outcome === "failed") this.#failures(`lookup of ${name} failed: ${messageOf(cause)}`);
    if (outcome !== "local" && asksAsResolver(question)) {
      const what = name === "." ? "the root" : name;
      this.#resolvers(
        `${asker} asks for ${what} as a resolver does that validates or goes to the root by itself, and gets no answer: let it forward to 127.0.0.11, without DNSSEC validation`,
      );
    }
    if (excess > 0) this.#excess(`${excess} addresses of ${name} were left out of its answer`);
  }
}

/** Undefined for Docker's own names, and for what we asked in its asker's name. */
function eventOf(
  { query: { question } }: Asked,
  { resolution, decision, speaker }: Judged,
): LookupEvent | undefined {
  const { outcome, granted, refused, onlyRefused, isNoName } = resolution;
  const asker = speaker?.addresses[0];
  if (outcome === "local" || question.name === canaryName || speaker === undefined || asker === undefined)
    return undefined;
  const type = telltaleType(question.type);
  const trouble = decision.allowed ? troubleOf(outcome, type) : undefined;
  return {
    networkId: speaker.networkId,
    asker,
    domain: question.name,
    // Firefox's question whether to go round us is answered as if the list did not have it.
    allowed: decision.allowed && outcome !== "denied" && trouble === undefined,
    trouble,
    granted,
    atMs: monotonicMs(),
    ...(type === undefined ? {} : { type }),
    ...(onlyRefused ? { refused } : {}),
    // An upstream that was not asked has not said that there is such a name; its other family was asked for, too.
    ...(isNoName || outcome === "no-family" ? { noName: true } : {}),
  };
}

/** The name of a type that is served to some only; undefined for those that are served always or never. */
function telltaleType(code: number): string | undefined {
  const served = recordType(code)?.served ?? "labelled";
  return served === "always" || served === "never" ? undefined : nameOfType(code);
}

function troubleOf(outcome: Outcome, type: string | undefined): LookupTrouble | undefined {
  if (outcome === "refused-private") return "private";
  if (outcome === "internal") return "internal";
  if (outcome === "not-served" && type !== undefined) return "type";
  return outcome === "failed" ? "failed" : undefined;
}
