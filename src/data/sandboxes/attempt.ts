// What is tried for one sandbox, or for all ports. A failure leaves its container without a way out, or cut off as it was.

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

/** What is tried for sandboxes as they are judged: they are judged again because of what fails of it. */
export class SandboxAttempts {
  #failures = new Map<string, string>();

  /** @param whose as the sentence about a failure names it @returns whether it was done */
  readonly attempt = (sandbox: string, whose: string, work: () => void): boolean =>
    createAttempt((sentence) => {
      if (!this.#failures.has(sandbox)) this.#failures.set(sandbox, sentence);
    })(whose, work);

  /** It is judged anew: what failed before no longer counts. */
  forget(sandbox: string): void {
    this.#failures.delete(sandbox);
  }

  /** What has failed since it was last taken: the first sentence about each sandbox. */
  take(): ReadonlyMap<string, string> {
    const failures = this.#failures;
    this.#failures = new Map();
    return failures;
  }
}
