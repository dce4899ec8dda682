// Asks for readings of the engine: whoever asks is known later, and all who ask within a moment share one.

import { contained } from "../../core/contain.ts";
import type { Telling } from "./telling.ts";
import { createThrottle } from "./throttle.ts";
import type { View } from "./view.ts";

export interface EngineRequests {
  /** Who asks, or who has a name, is not known: the engine is to be read. */
  readonly refresh: (what?: "asker" | "name") => void;
  /** The same for an address of which no sandbox is known: sources can be forged where nothing tells who sends. */
  readonly refreshForStranger: () => void;
  /** The same again in a while, as somebody is undecided. */
  readonly refreshLater: () => void;
}

/** A request for a reading of the engine is not repeated within this time; the last one always is made. */
const refreshEveryMs = 25;
const betweenStrangersMs = 1_000;
/** A container that may be in quarantine, or about to join a guarded network, is asked after anew so often. */
const undecidedAgainMs = 1_000;

export function createEngineRequests(view: () => View, { tell, failure }: Telling): EngineRequests {
  /** Whoever may be in a sandbox that the engine has not told of, and of whom it matters, is read again. */
  let namesMatter = false;
  const refreshSoon = createThrottle(
    refreshEveryMs,
    () => {
      const { index, unknownSandboxes, knowledge, topology } = view();
      const concerned = new Set([...index.concerned(), ...unknownSandboxes.concerned()]);
      const suspects = topology.containers.filter(
        (each) => (namesMatter || concerned.has(each.id)) && knowledge.isAway(each),
      );
      namesMatter = false;
      tell({ kind: "refresh", suspects: suspects.map(({ id }) => id) });
    },
    failure,
  );
  const refresh = (what: "asker" | "name" = "asker"): void => {
    namesMatter ||= what === "name";
    refreshSoon();
  };
  /** One at a time: every reading that ends asks for the next one, whoever asked for it. */
  let later: NodeJS.Timeout | undefined;
  const now = (): void => {
    later = undefined;
    refreshSoon();
  };
  return {
    refresh,
    refreshForStranger: createThrottle(betweenStrangersMs, refresh, failure),
    refreshLater() {
      if (later === undefined) later = setTimeout(contained(now, failure), undecidedAgainMs);
    },
  };
}
