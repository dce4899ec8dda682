// Asks for readings of the engine, after which an unknown asker is known; all requests within a moment share one.

import { contained } from "../../core/contain.ts";
import type { Telling } from "./telling.ts";
import { createThrottle } from "./throttle.ts";
import type { View } from "./view.ts";

export interface EngineRequests {
  /** Who asks, or who has a name, is not known: the engine is to be read. @returns the number of that reading */
  readonly refresh: (what?: "asker" | "name") => number;
  /** A reading is over, and its picture in use. */
  readonly heard: (number: number) => void;
  /** Whether this reading, or a later one, is over. */
  readonly isOver: (number: number) => boolean;
  /** The same for an address of which no sandbox is known: sources can be forged where nothing tells who sends. */
  readonly refreshForStranger: () => void;
  /** The same again in a while, as a sandbox is undecided. */
  readonly refreshLater: () => void;
}

/** A request for a reading of the engine is not repeated within this time; the last one always is made. */
const refreshEveryMs = 25;
const betweenStrangersMs = 1_000;
/** A container that may be in quarantine, or about to join a guarded network, is asked after anew so often. */
const undecidedAgainMs = 1_000;

export function createEngineRequests(view: () => View, { tell, failure }: Telling): EngineRequests {
  /** Whether a name waits: then every container that may be in an unknown sandbox is read again. */
  let namesMatter = false;
  /** Numbers of the last reading that was asked for, and of the last one that is over. */
  let asked = 0;
  let over = 0;
  const refreshSoon = createThrottle(
    refreshEveryMs,
    () => {
      const { index, unknownSandboxes, knowledge, topology } = view();
      const concerned = new Set([...index.concerned(), ...unknownSandboxes.concerned()]);
      const suspects = topology.containers.filter(
        (each) => (namesMatter || concerned.has(each.id)) && knowledge.isAway(each),
      );
      namesMatter = false;
      asked += 1;
      tell({ kind: "refresh", number: asked, suspects: suspects.map(({ id }) => id) });
    },
    failure,
  );
  const refresh = (what: "asker" | "name" = "asker"): number => {
    namesMatter ||= what === "name";
    // It is asked for at once, or soon: whichever, it is the next one.
    const number = asked + 1;
    refreshSoon();
    return number;
  };
  /** One at a time: every reading that ends asks for the next one, for whatever reason it was made. */
  let later: NodeJS.Timeout | undefined;
  const now = (): void => {
    later = undefined;
    refreshSoon();
  };
  return {
    refresh,
    heard(number) {
      over = Math.max(over, number);
    },
    isOver: (number) => over >= number,
    refreshForStranger: createThrottle(betweenStrangersMs, refresh, failure),
    refreshLater() {
      if (later === undefined) later = setTimeout(contained(now, failure), undecidedAgainMs);
    },
  };
}
