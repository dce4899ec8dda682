// A new sandbox is seen before the engine tells whose it is, which it does only when the container's first instructions
// have run. Where it matters who that is, what is done meanwhile is done until the engine has told.

export interface Doubts {
  /** True while a sandbox is in doubt, and the engine may still tell of it. */
  last(sandbox: string, doubtful: boolean): boolean;
  /** A reading of the engine has ended, and its picture is in use. True when that ends the doubts about one. */
  told(): boolean;
  gone(sandbox: string): void;
}

/** Of two readings that end after this, the second began after it, and tells of every container that there was. */
const readingsToWait = 2;

/** @param ask has the engine read */
export function createDoubts(ask: () => void): Doubts {
  /** Readings to wait for, by sandbox; 0 for one that is no container's: an image that is built, a swarm's ingress. */
  const waiting = new Map<string, number>();

  return {
    last(sandbox, doubtful) {
      if (!doubtful) {
        waiting.delete(sandbox);
        return false;
      }
      if (!waiting.has(sandbox)) {
        waiting.set(sandbox, readingsToWait);
        ask();
      }
      return waiting.get(sandbox) !== 0;
    },
    told() {
      const before = [...waiting].filter(([, readings]) => readings > 0);
      for (const [sandbox, readings] of before) waiting.set(sandbox, readings - 1);
      if (before.some(([, readings]) => readings > 1)) ask();
      return before.some(([, readings]) => readings === 1);
    },
    gone: (sandbox) => void waiting.delete(sandbox),
  };
}
