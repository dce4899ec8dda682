// Sandboxes that could not be opened: what we need in there was refused, for want of descriptors or of memory. Each is
// tried again until it is open or gone. The kernel can be told whose its ports are all the same.

import { closeSync } from "node:fs";
import { contain, contained } from "../../core/contain.ts";

const RETRY_MS = 1_000;

export interface UnopenedOptions {
  readonly name: string;
  readonly namespaceFd: number;
  /** Tells of it, so that its ports are known for its own. */
  readonly meet: () => void;
  /** Opens it, which then owns the descriptor. @param isMet whether it was told of */
  readonly open: (isMet: boolean) => void;
  /** To be called each time. */
  readonly onFailure: (error: unknown) => void;
}

interface Unopened {
  readonly namespaceFd: number;
  isMet: boolean;
  timer: NodeJS.Timeout | undefined;
}

export class UnopenedSandboxes {
  readonly #sandboxes = new Map<string, Unopened>();

  /** Whether it is told whose its ports are. */
  isMet(name: string): boolean {
    return this.#sandboxes.get(name)?.isMet === true;
  }

  names(): readonly string[] {
    return [...this.#sandboxes.keys()];
  }

  /** Opens it at once, and else later. */
  open(options: UnopenedOptions): void {
    const unopened: Unopened = { namespaceFd: options.namespaceFd, isMet: false, timer: undefined };
    this.#sandboxes.set(options.name, unopened);
    this.#try(options, unopened);
  }

  /** It is gone. @returns whether there was one that is not open yet */
  forget(name: string): boolean {
    const unopened = this.#sandboxes.get(name);
    if (unopened === undefined) return false;
    this.#sandboxes.delete(name);
    clearTimeout(unopened.timer);
    closeSync(unopened.namespaceFd);
    return true;
  }

  #try(options: UnopenedOptions, unopened: Unopened): void {
    try {
      options.open(unopened.isMet);
      this.#sandboxes.delete(options.name);
    } catch (error) {
      unopened.timer = setTimeout(
        contained(() => this.#try(options, unopened), options.onFailure),
        RETRY_MS,
      );
      if (!unopened.isMet)
        contain(() => {
          options.meet();
          unopened.isMet = true;
        }, options.onFailure);
      options.onFailure(error);
    }
  }
}
