// What happens to a question that the engine's resolver asks upstream after a sandbox was captured late. The question
// does not say for which container it is asked. So while the engine may still hold one that a guarded container asked
// before its capture, none leaves: the engine fails it at once, and a client that asks again is answered, by us or by
// the engine.

import type { Standing } from "./standing.ts";

/** A sandbox that may have been heard by the engine's resolver before it was captured. */
export interface LateCapture {
  /** Where it stands now, or stood when it went. */
  readonly standing: () => Standing["kind"];
  /** Whether anything in it has asked the engine's resolver; to be asked while it is there. */
  readonly hasAskedPast: () => boolean;
  /** Whether the engine may be asking a resolver from inside of it now: the next one it may ask from the host. */
  readonly isAskedFrom: () => boolean;
}

/** Whose question it may be, as known when it was put before us; `judge` it until it is known what becomes of it. */
export interface Suspicion {
  readonly suspects: readonly Suspect[];
}

export type QuestionVerdict = "passes" | "refused" | "waits";

interface Suspect {
  readonly sandbox: string | undefined;
  readonly late: LateCapture;
  readonly sinceMs: number;
  asked: boolean | undefined;
  gone: boolean;
}

/**
 * How long the engine may hold a question that it has been sent, measured from the capture: what is asked afterwards is
 * asked of us. It forwards at once, but on a busy host its turn comes late. So until it has been seen with nothing to
 * do, and awaiting nothing of a resolver, a second at least, as it may also wait for a lock of its own; but not for ever:
 * it tries three resolvers, each for four seconds to connect and to answer (extIOTimeout, maxExtDNS of libnetwork).
 */
const heldByEngineMs = { least: 1_000, most: 25_000 };
/** A flow is tracked when its first packet is delivered; who sent one right before the capture has it by then. */
const trackedAfterMs = 250;
/** Nobody but a host with thousands of containers that all start at once has more. */
const maxSuspects = 4_096;

export class LateCaptures {
  #suspects: Suspect[] = [];

  /** A sandbox was captured late, or could not be captured when it was first seen. */
  add(sandbox: string, late: LateCapture, nowMs: number): void {
    this.#push({ sandbox, late, sinceMs: nowMs, asked: undefined, gone: false });
  }

  /**
   * One was made and not seen yet. When it is seen it is captured, and late or not; when it has gone meanwhile, nobody
   * will ever know where it stood.
   */
  addUnseen(fate: () => "pending" | "seen" | "gone", nowMs: number): void {
    const standings = { pending: "unknown", seen: "open", gone: "guarded" } as const;
    const late: LateCapture = {
      standing: () => standings[fate()],
      hasAskedPast: () => true,
      isAskedFrom: () => false,
    };
    this.#push({ sandbox: undefined, late, sinceMs: nowMs, asked: true, gone: false });
  }

  /** A sandbox goes; to be told while it can still be looked into. */
  remove(sandbox: string, nowMs: number): void {
    for (const suspect of this.#suspects) {
      if (suspect.sandbox !== sandbox) continue;
      this.#hasAsked(suspect, nowMs);
      suspect.gone = true;
    }
  }

  /** Who may have asked the question that the engine asks now. */
  suspect(nowMs: number): Suspicion {
    return { suspects: this.#suspects.filter((suspect) => this.#hasAsked(suspect, nowMs)) };
  }

  /** Whether any sandbox is under suspicion. */
  get isSuspicious(): boolean {
    return this.#suspects.length > 0;
  }

  /**
   * Lets go who is above suspicion by now; to be called when every question that the engine had sent by then is judged.
   * @param engineWasIdle whether the engine was seen with nothing to do at that moment
   */
  release(nowMs: number, engineWasIdle: boolean): void {
    const { least, most } = heldByEngineMs;
    this.#suspects = this.#suspects.filter(
      ({ sinceMs, asked, gone, late }) =>
        asked !== false && nowMs - sinceMs <= (engineWasIdle && (gone || !late.isAskedFrom()) ? least : most),
    );
  }

  #push(suspect: Suspect): void {
    if (this.#suspects.length >= maxSuspects) this.#suspects.shift();
    this.#suspects.push(suspect);
  }

  #hasAsked(suspect: Suspect, nowMs: number): boolean {
    if (suspect.asked !== undefined) return suspect.asked;
    const asked = !suspect.gone && suspect.late.hasAskedPast();
    if (asked || nowMs - suspect.sinceMs >= trackedAfterMs) suspect.asked = asked;
    return asked;
  }
}

/** What becomes of a question, by what is known of its suspects now. */
export function judge({ suspects }: Suspicion): QuestionVerdict {
  const standings = suspects.map(({ late, gone }) => {
    const kind = late.standing();
    return gone && kind === "unknown" ? "guarded" : kind;
  });
  if (standings.includes("guarded")) return "refused";
  return standings.includes("unknown") ? "waits" : "passes";
}
