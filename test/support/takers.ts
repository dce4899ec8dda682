// What is asked by callbacks, with what a test has: a function that returns, rejects, or throws.

import type { Taker } from "../../src/core/taker.ts";

/** Gives what the work comes to, in a later turn of the microtasks. */
export function give<Value>(taker: Taker<Value>, work: () => Value | Promise<Value>): void {
  new Promise<Value>((resolve) => resolve(work())).then(
    (value) => taker.take(value),
    (error: unknown) => taker.fail(error),
  );
}
