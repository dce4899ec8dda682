// How often to do something that others can demand at will.

export interface Pace {
  /** How long to wait before it is done, ms; 0 is at once. To be called once for each time that it is done. */
  next(nowMs: number): number;
}

export interface PaceOptions {
  /** So many times at once, as long as it is not demanded all the time. */
  readonly burst: number;
  /** Then so far apart at least, twice as far each time. */
  readonly everyMs: number;
  readonly mostMs: number;
  /** After so long without a demand it may be done at once again. */
  readonly calmMs: number;
}

export function createPace({ burst, everyMs, mostMs, calmMs }: PaceOptions): Pace {
  let left = burst;
  let waitMs = everyMs;
  let lastMs = Number.NEGATIVE_INFINITY;
  return {
    next(nowMs) {
      if (nowMs - lastMs >= calmMs) {
        left = burst;
        waitMs = everyMs;
      }
      lastMs = nowMs;
      if (left > 0) {
        left -= 1;
        return 0;
      }
      const now = waitMs;
      waitMs = Math.min(waitMs * 2, mostMs);
      // From when it is done.
      lastMs += now;
      return now;
    },
  };
}
