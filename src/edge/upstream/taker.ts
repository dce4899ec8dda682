// Who waits for the answer of an upstream.

/** One of the two is called, once. Neither throws. */
export interface Taker {
  take(message: Uint8Array): void;
  fail(error: unknown): void;
}
