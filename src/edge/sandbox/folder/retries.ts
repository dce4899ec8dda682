// Files that may become namespaces any moment: each is looked at again and again, for a while.

import { contained, type OnFailure } from "../../../core/contain.ts";

const RETRY_MS = 1;
const RETRY_FOR_MS = 5_000;

export interface RetriesOptions {
  readonly look: (name: string) => void;
  /** Whether the file is still there. */
  readonly isThere: (name: string) => boolean;
  readonly onFailure: OnFailure;
}

export class Retries {
  readonly #options: RetriesOptions;
  /** Until when each is tried (performance.now()). */
  readonly #pending = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RetriesOptions) {
    this.#options = options;
  }

  add(name: string): void {
    if (!this.#pending.has(name)) this.#pending.set(name, performance.now() + RETRY_FOR_MS);
    this.#timer ??= setTimeout(
      contained(() => this.#retry(), this.#options.onFailure),
      RETRY_MS,
    );
  }

  forget(name: string): void {
    this.#pending.delete(name);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#pending.clear();
  }

  #retry(): void {
    const { look, isThere } = this.#options;
    this.#timer = undefined;
    for (const [name, until] of this.#pending) {
      if (performance.now() > until || !isThere(name)) this.#pending.delete(name);
      else look(name);
    }
  }
}
