// The questions of one sandbox that wait until it is classified.

import { contained } from "../../../core/contain.ts";
import type { SandboxQuery } from "./query.ts";

/** How long a question waits for its asker to be classified; Docker's own resolver gives up after 4 s. */
const classifyWithinMs = 3_500;
const maxWaiting = 256;

export interface WaitingOptions {
  /** It has waited for too long. */
  readonly onExpire: (query: SandboxQuery) => void;
  readonly onFailure: (query: SandboxQuery, error: unknown) => void;
}

export class WaitingQuestions {
  readonly #options: WaitingOptions;
  readonly #queries = new Set<SandboxQuery>();

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  /** @returns false when too many wait already */
  add(query: SandboxQuery): boolean {
    if (this.#queries.size >= maxWaiting) return false;
    this.#queries.add(query);
    const { onExpire, onFailure } = this.#options;
    const expire = (): void => {
      if (this.#queries.delete(query)) onExpire(query);
    };
    setTimeout(
      contained(expire, (error) => onFailure(query, error)),
      classifyWithinMs,
    );
    return true;
  }

  /** All of them, oldest first; they wait no more. */
  take(): readonly SandboxQuery[] {
    const queries = [...this.#queries];
    this.#queries.clear();
    return queries;
  }
}
