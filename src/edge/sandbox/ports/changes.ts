// What has changed about ports since it was last told: the sandboxes with other ports than before, and that ports are gone.

import { contain, contained, type OnFailure } from "../../../core/contain.ts";

export interface PortChangesOptions {
  readonly onChange: (sandboxes: readonly string[]) => void;
  /** Ports are no more. */
  readonly onGone: () => void;
  /** A change that could not be taken in; the others are. */
  readonly onFailure: OnFailure;
}

export class PortChanges {
  readonly #options: PortChangesOptions;
  #touched = new Set<string>();
  #lost = false;
  #isTimed = false;

  constructor(options: PortChangesOptions) {
    this.#options = options;
  }

  touch(sandbox: string): void {
    this.#touched.add(sandbox);
  }

  lose(): void {
    this.#lost = true;
  }

  /** Later: who asks for one sandbox must not be called about another meanwhile. */
  tellLater(): void {
    if (this.#isTimed || (this.#touched.size === 0 && !this.#lost)) return;
    this.#isTimed = true;
    const tell = (): void => {
      this.#isTimed = false;
      this.tellNow();
    };
    setImmediate(contained(tell, this.#options.onFailure));
  }

  tellNow(): void {
    const { onChange, onGone, onFailure } = this.#options;
    const touched = this.#touched;
    this.#touched = new Set();
    const lost = this.#lost;
    this.#lost = false;
    if (lost) contain(onGone, onFailure);
    if (touched.size > 0) contain(() => onChange([...touched]), onFailure);
  }
}
