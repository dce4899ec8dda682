// Which files have been made in a folder: asked synchronously, and complete at that moment. Node's own watch reports
// them in a later turn of the event loop, after the decision that needs them.
// @see inotify(7)

import { messageOf } from "../../../errors.ts";
import * as libc from "../../kernel/libc.ts";
import { IN_CREATE, IN_MOVED_TO, readEvents } from "./inotify-events.ts";

export interface MadeFiles {
  /**
   * Names of files that were made since the last call; "unknown" when some of them may be missing: that comes
   * once, when they can be noticed again. "unwatched" as long as none can be noticed.
   */
  take(): readonly string[] | "unknown" | "unwatched";
  close(): void;
}

/** Begins to notice. The folder may come later, go, and come again. @throws SystemCallError */
export function noticeMadeFiles(folder: string, onProblem: (problem: string) => void): MadeFiles {
  return new NoticedFiles(folder, onProblem);
}

class NoticedFiles implements MadeFiles {
  readonly #folder: string;
  readonly #onProblem: (problem: string) => void;
  readonly #fd: number;
  readonly #bytes = new Uint8Array(64 << 10);
  #isWatched = false;
  /** Why it cannot be watched; empty while it can, or is not there. */
  #unwatchable = "";

  constructor(folder: string, onProblem: (problem: string) => void) {
    this.#folder = folder;
    this.#onProblem = onProblem;
    this.#fd = libc.inotify(folder);
    this.#watchAgain();
  }

  take(): readonly string[] | "unknown" | "unwatched" {
    const names: string[] = [];
    let complete = true;
    for (;;) {
      const length = libc.read(this.#fd, this.#bytes, this.#folder);
      if (length === undefined) break;
      const events = readEvents(this.#bytes.subarray(0, length));
      names.push(...events.names);
      if (events.overflowed) complete = false;
      if (events.watchEnded) this.#isWatched = false;
    }
    if (!this.#isWatched) {
      // What came and went between the making of the folder and now.
      if (this.#watchAgain()) complete = false;
      else if (this.#unwatchable !== "") return "unwatched";
    }
    return complete ? names : "unknown";
  }

  close(): void {
    libc.close(this.#fd);
  }

  /** Out of watches, or not ours to read: what is made meanwhile is not told of, and nothing can be said of it. */
  #watchAgain(): boolean {
    try {
      this.#isWatched = this.#watch();
      this.#unwatchable = "";
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.#unwatchable)
        this.#onProblem(`changes in ${this.#folder} cannot be watched: ${problem}; trying again`);
      this.#unwatchable = problem;
    }
    return this.#isWatched;
  }

  #watch(): boolean {
    try {
      libc.inotifyAddWatch(this.#fd, this.#folder, IN_CREATE | IN_MOVED_TO);
      return true;
    } catch (error) {
      if (error instanceof libc.SystemCallError && error.errnoName === "ENOENT") return false;
      throw error;
    }
  }
}
