// What comes and goes in the folder, or in the nearest one above while it is not there; renewed when another one should
// be watched.

import { messageOf } from "../../../errors.ts";
import { isStale, type Watched, watchNearest } from "./nearest.ts";

export interface FolderWatchOptions {
  readonly folder: string;
  /** @param name of what came or went; null where it is not known */
  readonly onEvent: (name: string | null) => void;
  readonly onProblem: (problem: string) => void;
}

export class FolderWatch {
  readonly #options: FolderWatchOptions;
  #watched: Watched | undefined;

  constructor(options: FolderWatchOptions) {
    this.#options = options;
  }

  /** In place of what was watched before. When it fails, that is a problem, and nothing is watched. */
  renew(): void {
    const { folder, onEvent, onProblem } = this.#options;
    this.close();
    try {
      this.#watched = watchNearest(folder, onEvent, (error) => this.#lose(error));
    } catch (error) {
      onProblem(`cannot watch the sandbox folder ${folder}: ${messageOf(error)}`);
    }
  }

  /** False when it is to be renewed: it failed, or the folder was made, removed or replaced. */
  isCurrent(): boolean {
    return this.#watched !== undefined && !isStale(this.#watched, this.#options.folder);
  }

  /** Whether events are of the folder itself. */
  get isOfFolder(): boolean {
    return this.#watched?.path === this.#options.folder;
  }

  close(): void {
    this.#watched?.watcher.close();
    this.#watched = undefined;
  }

  #lose(error: unknown): void {
    this.#options.onProblem(
      `the watch on the sandbox folder ${this.#options.folder} failed: ${messageOf(error)}`,
    );
    this.close();
  }
}
