// The folder in which an engine keeps the network namespaces of its containers, one file each. We must see a new one
// within milliseconds: its container asks its first question some 70 ms later.
//
//   The engine makes an empty file and then mounts the namespace on it. inotify reports the file only, so a new file is
//   tried again until it is a namespace.
//   A file is gone when it is removed, unmounted, or when another namespace is mounted on it.
//   The engine makes the folder with its first container; until then the nearest folder above is watched.
//   A host-network container leaves our own namespace there; it is never reported, nor is a second name of another.

import { closeSync, existsSync } from "node:fs";
import { join } from "node:path";
import { contain, contained } from "../../../core/contain.ts";
import { messageOf } from "../../../errors.ts";
import { isOwnNamespace, namespaceInode, openNamespace } from "../../kernel/netns.ts";
import { FolderWatch } from "./folder-watch.ts";
import { type MadeFiles, noticeMadeFiles } from "./made-files.ts";
import { inodeOf, NO_INODE, namesIn } from "./nearest.ts";
import { Retries } from "./retries.ts";
import { type Fate, UnseenFiles } from "./unseen-files.ts";

/** The name under which the host's namespace appears. */
const HOST_NAMESPACE = "default";
/** Events can be lost (a full inotify queue, a mount over the folder), so it is listed anyway. */
const RELIST_MS = 10_000;

export interface SandboxFolderOptions {
  readonly folder: string;
  /** A namespace appeared; `namespaceFd` is the callee's to close, at the latest when it is gone. */
  readonly onAppear: (name: string, namespaceFd: number) => void;
  readonly onGone: (name: string) => void;
  /**
   * A file was made, and there is no namespace on it: not yet, or it has come and gone without having been reported, as
   * an engine may leave the file for a minute. `fate` says what is known of it when it is asked.
   */
  readonly onUnseen: (fate: () => Fate) => void;
  readonly onProblem: (problem: string) => void;
}

export interface SandboxFolder {
  /** Reports what has appeared by now before it returns. */
  lookNow(): void;
  close(): void;
}

/** Watches the folder until close(). What is there already is reported before it returns. */
export function watchSandboxes(options: SandboxFolderOptions): SandboxFolder {
  return new WatchedFolder(options);
}

class WatchedFolder implements SandboxFolder {
  readonly #options: SandboxFolderOptions;
  /** Undefined where files cannot be noticed at all. */
  readonly #made: MadeFiles | undefined;
  readonly #watch: FolderWatch;
  readonly #retries: Retries;
  readonly #unseen = new UnseenFiles();
  /** Inode of the namespace that was reported under each name. */
  readonly #reported = new Map<string, number>();
  readonly #relistTimer: NodeJS.Timeout;

  constructor(options: SandboxFolderOptions) {
    const { folder, onProblem } = options;
    this.#options = options;
    this.#made = this.#attempt(() => noticeMadeFiles(folder, onProblem));
    this.#watch = new FolderWatch({
      folder,
      // A name that fails now is looked at again with all others.
      onEvent: (name) => void this.#attempt(() => this.#takeEvent(name)),
      onProblem,
    });
    this.#retries = new Retries({
      look: (name) => void this.#attempt(() => this.#look(name, "retry")),
      isThere: (name) => existsSync(join(folder, name)),
      onFailure: this.#tell,
    });
    this.#relistTimer = setInterval(
      contained(() => this.#relist(), this.#tell),
      RELIST_MS,
    );
    this.#subscribe();
  }

  /** By what was made since the last look, so that one costs nothing while nothing is; all names when that is not known. */
  lookNow(): void {
    const { folder, onUnseen } = this.#options;
    const told = this.#attempt(() => this.#made?.take()) ?? "unwatched";
    if (told === "unknown") onUnseen(() => "gone");
    // Without a watch nothing can be said of those that are gone, and to suspect all for as long would be no suspicion.
    const made = typeof told === "string" ? [] : told.filter((name) => name !== HOST_NAMESPACE);
    const fresh = this.#unseen.add(made);
    const candidates = typeof told === "string" ? namesIn(folder) : told;
    for (const name of new Set([...candidates, ...this.#unseen.names()]))
      this.#attempt(() => this.#lookAgain(name));
    for (const file of fresh) if (file.fate !== "seen") onUnseen(() => file.fate);
  }

  close(): void {
    this.#made?.close();
    clearInterval(this.#relistTimer);
    this.#retries.close();
    this.#watch.close();
  }

  /** First watches, then lists, so that nothing falls in between. */
  #subscribe(): void {
    this.#watch.renew();
    for (const name of namesIn(this.#options.folder)) this.#attempt(() => this.#look(name, "retry"));
  }

  #takeEvent(name: string | null): void {
    if (!this.#watch.isCurrent()) this.#relist();
    else if (this.#watch.isOfFolder && name !== null) this.#look(name, "retry");
  }

  #relist(): void {
    this.#attempt(() => {
      if (!this.#watch.isCurrent()) this.#subscribe();
    });
    const present = new Set(namesIn(this.#options.folder));
    for (const name of this.#reported.keys())
      if (!present.has(name) && !this.#isStillThere(name)) this.#drop(name);
    for (const name of present) this.#attempt(() => this.#look(name, "once"));
    this.lookNow();
  }

  /** Compares what is under a name now with what was reported. */
  #look(name: string, otherwise: "retry" | "once"): void {
    if (name === HOST_NAMESPACE) return;
    const path = join(this.#options.folder, name);
    const fd = this.#attempt(() => openNamespace(path));
    const inode = fd === undefined ? undefined : namespaceInode(fd);
    if (fd === undefined && this.#isStillThere(name)) return;
    if (this.#reported.get(name) !== inode) this.#drop(name);
    if (fd === undefined || inode === undefined) {
      if (otherwise === "retry") this.#retries.add(name);
      return;
    }
    this.#retries.forget(name);
    this.#unseen.resolve(name, "seen");
    if (isOwnNamespace(fd) || [...this.#reported.values()].includes(inode)) {
      closeSync(fd);
      return;
    }
    this.#reported.set(name, inode);
    this.#attempt(() => this.#options.onAppear(name, fd));
  }

  #lookAgain(name: string): void {
    const inode = inodeOf(join(this.#options.folder, name));
    if (inode === NO_INODE) this.#unseen.resolve(name, "gone");
    else if (this.#reported.get(name) !== inode) this.#look(name, "retry");
  }

  /** Whether what was reported is under its name: known without a descriptor, for want of which it cannot be opened or listed. */
  #isStillThere(name: string): boolean {
    const inode = this.#reported.get(name);
    return inode !== undefined && inode === this.#attempt(() => inodeOf(join(this.#options.folder, name)));
  }

  #drop(name: string): void {
    if (this.#reported.delete(name)) this.#attempt(() => this.#options.onGone(name));
  }

  /** One bad file must not keep the others from being seen. */
  #attempt<T>(work: () => T): T | undefined {
    let result: T | undefined;
    contain(() => {
      result = work();
    }, this.#tell);
    return result;
  }

  readonly #tell = (error: unknown): void => this.#options.onProblem(messageOf(error));
}
