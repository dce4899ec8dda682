// A container can cause some messages as often as it likes. These are logged now and then, with the number left out.

/** Passes one sentence on, then none for `everyMs`; the next one tells how many were left out. */
export function createRateLimited(
  tell: (sentence: string) => void,
  nowMs: () => number,
  everyMs: number,
): (sentence: string) => void {
  let toldAtMs = Number.NEGATIVE_INFINITY;
  let leftOut = 0;
  return (sentence) => {
    if (nowMs() - toldAtMs < everyMs) {
      leftOut++;
      return;
    }
    toldAtMs = nowMs();
    tell(leftOut === 0 ? sentence : `${sentence} (and ${leftOut} more since the last such line)`);
    leftOut = 0;
  };
}
