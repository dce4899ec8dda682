// The boundary around input from outside a request: if the work for a message, packet, timer or event fails, nothing else
// ends with it. The failure is reported and counted.

import { declareCounter } from "./counters/registry.ts";

const failures = declareCounter({
  name: "contained_failures",
  help: "Messages, packets, timers and events whose work failed; each was reported, and ended nothing but itself.",
  words: { one: "failure contained", many: "failures contained" },
});

/** Called with whatever was thrown, or rejected with. When it throws itself, that is counted and goes no further. */
export type OnFailure = (error: unknown) => void;

/** Does the work; `onFailure` is called with whatever it throws, or rejects with. */
export function contain(work: () => unknown, onFailure: OnFailure): void {
  try {
    const result = work();
    // Whatever else it returns is nobody's: a handler written in one expression returns the value of that.
    if (result instanceof Promise) result.catch((error: unknown) => tellFailure(error, onFailure));
  } catch (error) {
    tellFailure(error, onFailure);
  }
}

/** The work as a callback of a timer or a descriptor, each call of it contained. */
export function contained(work: () => unknown, onFailure: OnFailure): () => void {
  return () => contain(work, onFailure);
}

/** For the `catch` of who is called for each packet, and can spare the closure that contain() takes. */
export function tellFailure(error: unknown, onFailure: OnFailure): void {
  failures.add();
  try {
    onFailure(error);
  } catch {
    // There is nobody left to tell.
    failures.add();
  }
}
