// What is tried for one sandbox, or for all ports. A failure is a problem, and leaves its container without a way out,
// or cut off as it was.

import { messageOf } from "../../errors.ts";

/** @returns whether it was done */
export type TryFor = (whose: string, work: () => void) => boolean;

export function createAttempt(onProblem: (problem: string) => void): TryFor {
  return (whose, work) => {
    try {
      work();
      return true;
    } catch (error) {
      onProblem(`${whose}: ${messageOf(error)}`);
      return false;
    }
  };
}

/** As a problem names them. */
export function portsOf(sandbox: string): string {
  return `the ports of sandbox ${sandbox}`;
}
