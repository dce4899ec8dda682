// Whether the data plane answers: a thread that hangs neither ends nor says so.

import type { DataPlaneLink } from "../../planes/link.ts";

/** How many rounds may pass without an answer: 30 seconds at one in five. */
const roundsWithoutAnswer = 6;

/**
 * One round asks, unless an earlier question is still unanswered. Rounds count, and not time: while the main thread or the
 * whole host stood still, nobody could answer.
 * @returns the round, which throws while there has been no answer for too long
 */
export function createSilenceWatch(dataPlane: () => Pick<DataPlaneLink, "respond"> | undefined): () => void {
  let isAsked = false;
  let rounds = 0;

  function answered(): void {
    isAsked = false;
    rounds = 0;
  }

  return () => {
    if (isAsked) {
      rounds += 1;
      if (rounds < roundsWithoutAnswer) return;
      throw new Error(
        "it has answered nothing for 30 seconds; lookups of guarded containers and their first packets wait and fail meanwhile, and what is open stays open; if this lasts, restart Dockerwall",
      );
    }
    const plane = dataPlane();
    if (plane === undefined) return;
    isAsked = true;
    // A refusal is an answer, too; and a data plane that is gone ends the daemon.
    plane.respond().then(answered, answered);
  };
}
