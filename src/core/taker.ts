// Who waits for what comes later, such as the answer of an upstream: called back, in the turn in which it comes. An
// uncached lookup waits at six places; as promises with their reactions they took a tenth of its CPU.

/** One of the two is called, once. Neither throws. */
export interface Taker<Value> {
  take(value: Value): void;
  fail(error: unknown): void;
}

/** The same as a promise, for who has the time. @param ask may throw */
export function taken<Value>(ask: (taker: Taker<Value>) => void): Promise<Value> {
  return new Promise((take, fail) => ask({ take, fail }));
}
