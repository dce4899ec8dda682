// Watches one file that is written in place or replaced, and calls back once it has been left alone for a moment.

import { type FSWatcher, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import { contained, type OnFailure } from "../../core/contain.ts";
import { messageOf } from "../../errors.ts";

/**
 * How long a file must stay unchanged before a change counts as complete, milliseconds: a file that is written in place
 * appears in parts, and a part may be valid.
 */
const quietMs = 60;

/** @throws what keeps the file from being looked at, when it is made */
export class FileWatch implements Disposable {
  readonly #path: string;
  readonly #onChange: () => void;
  readonly #onFailure: OnFailure;
  readonly #watchers: FSWatcher[] = [];
  /** The identity at the last look(). */
  #seen: string;
  /** The identity that is to stay the same until the timer ends. */
  #waitsFor: string | undefined;
  #quietTimer: NodeJS.Timeout | undefined;

  /** @param onFailure called with what `onChange` throws */
  constructor(path: string, onChange: () => void, onFailure: OnFailure) {
    this.#path = path;
    this.#onChange = onChange;
    this.#onFailure = onFailure;
    this.#seen = identityOf(path);
  }

  /** Begins to follow the file's events. */
  follow(): void {
    // A mounted folder reports replaced files; a mounted file is not in the folder where it seems to be.
    this.#watch(dirname(this.#path));
    this.#watch(this.#path);
  }

  /** Looks for a change without an event. */
  look(): void {
    const now = this.#identityNow();
    if (now !== this.#seen) this.#wait();
    this.#seen = now;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#quietTimer);
    for (const watcher of this.#watchers) watcher.close();
  }

  #watch(place: string): void {
    try {
      const wait = contained(() => this.#wait(), this.#onFailure);
      const watcher = watch(place, { persistent: false }, wait);
      watcher.on("error", () => watcher.close());
      this.#watchers.push(watcher);
    } catch {
      // A place that cannot be watched is looked at from time to time.
    }
  }

  /** The folder reports changes of all its files: only a change of this one restarts the wait. */
  #wait(): void {
    const now = this.#identityNow();
    if (now === this.#waitsFor) return;
    this.#waitsFor = now;
    clearTimeout(this.#quietTimer);
    const tell = (): void => {
      this.#waitsFor = undefined;
      this.#onChange();
    };
    this.#quietTimer = setTimeout(contained(tell, this.#onFailure), quietMs);
  }

  /** The file's identity, or the reason why it has none. */
  #identityNow(): string {
    try {
      return identityOf(this.#path);
    } catch (error) {
      return messageOf(error);
    }
  }
}

/** Another one for a file that was written or replaced. */
function identityOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.ino} ${found.size} ${found.mtimeMs}`;
}
