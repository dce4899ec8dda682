// A single label that no container answers to, as far as we know, may belong to one that the engine has just
// started: the engine is read once more before the answer is no. Whoever floods such labels gets one reading a
// second for everybody, and nobody waits for it but those who ask for the very name that it is for.

export interface RecheckOptions {
  /** Has the engine read again; `done` is to be called when the outcome is known. */
  readonly ask: () => void;
  readonly nowMs: () => number;
}

export interface Recheck {
  /** True when `again` will be called, once; false when the name is to be taken for unknown. */
  wait(name: string, again: () => void): boolean;
  /** The engine has been read, and the picture is in use. */
  done(): void;
}

/** Between two readings for this reason. */
const betweenMs = 1_000;
/** The engine keeps readers waiting while it starts a container; a client waits longer than this. */
export const readWithinMs = 900;
/** Who may wait for one reading. */
const maxWaiting = 64;

export function createRecheck({ ask, nowMs }: RecheckOptions): Recheck {
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let current: { readonly name: string; readonly waiting: (() => void)[] } | undefined;
  let timer: NodeJS.Timeout | undefined;

  function done(): void {
    clearTimeout(timer);
    const waiting = current?.waiting ?? [];
    current = undefined;
    for (const again of waiting) again();
  }

  return {
    wait(name, again) {
      if (current?.name === name && current.waiting.length < maxWaiting) {
        current.waiting.push(again);
        return true;
      }
      if (current !== undefined || nowMs() - askedAtMs < betweenMs) return false;
      askedAtMs = nowMs();
      current = { name, waiting: [again] };
      timer = setTimeout(done, readWithinMs);
      ask();
      return true;
    },
    done,
  };
}
