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
import { noticeMadeFiles } from "./made-files.ts";
import { inodeOf, isStale, NO_INODE, namesIn, type Watched, watchNearest } from "./nearest.ts";

/** The name under which the host's namespace appears. */
const HOST_NAMESPACE = "default";
const RETRY_MS = 1;
const RETRY_FOR_MS = 5_000;
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

/** `seen`: it was reported, or is nobody's; `gone`: the file is gone too; `pending`: nothing is known yet. */
export type Fate = "pending" | "seen" | "gone";

export interface SandboxFolder {
  /** Reports what has appeared by now before it returns. */
  lookNow(): void;
  close(): void;
}

/** Watches the folder until close(). What is there already is reported before it returns. */
export function watchSandboxes(options: SandboxFolderOptions): SandboxFolder {
  const { folder } = options;
  const told = (error: unknown): void => options.onProblem(messageOf(error));
  /** Files that were made, and of which nothing has been seen yet. */
  const unseen = new Map<string, { fate: Fate }>();
  /** What has been seen since it was last asked which files were made. */
  const seenEarly = new Set<string>();
  const made = attempt(() => noticeMadeFiles(folder, options.onProblem));
  /** Inode of the namespace that was reported under each name. */
  const reported = new Map<string, number>();
  /** Files that may become namespaces, and until when they are tried (performance.now()). */
  const pending = new Map<string, number>();
  let watched: Watched | undefined;
  let retryTimer: NodeJS.Timeout | undefined;

  /** First watches, then lists, so that nothing falls in between. */
  function subscribe(): void {
    watched?.watcher.close();
    watched = undefined;
    try {
      watched = watchNearest(folder, onEvent, onWatchError);
    } catch (error) {
      options.onProblem(`cannot watch the sandbox folder ${folder}: ${messageOf(error)}`);
    }
    for (const name of namesIn(folder)) attempt(() => look(name, "retry"));
  }

  /** A name that fails now is looked at again with all others. */
  function onEvent(name: string | null): void {
    attempt(() => takeEvent(name));
  }

  function takeEvent(name: string | null): void {
    if (watched === undefined || isStale(watched, folder)) relist();
    else if (watched.path === folder && name !== null) look(name, "retry");
  }

  function onWatchError(error: unknown): void {
    options.onProblem(`the watch on the sandbox folder ${folder} failed: ${messageOf(error)}`);
    watched?.watcher.close();
    watched = undefined;
  }

  function relist(): void {
    attempt(() => {
      if (watched === undefined || isStale(watched, folder)) subscribe();
    });
    const present = new Set(namesIn(folder));
    for (const name of reported.keys()) if (!present.has(name)) drop(name);
    for (const name of present) attempt(() => look(name, "once"));
    lookNow();
  }

  /** Compares what is under a name now with what was reported. */
  function look(name: string, otherwise: "retry" | "once"): void {
    if (name === HOST_NAMESPACE) return;
    const path = join(folder, name);
    const fd = attempt(() => openNamespace(path));
    const inode = fd === undefined ? undefined : namespaceInode(fd);
    if (reported.get(name) !== inode) drop(name);
    if (fd === undefined || inode === undefined) {
      if (otherwise === "retry") retryLater(name);
      return;
    }
    pending.delete(name);
    resolve(name, "seen");
    if (isOwnNamespace(fd) || [...reported.values()].includes(inode)) {
      closeSync(fd);
      return;
    }
    reported.set(name, inode);
    attempt(() => options.onAppear(name, fd));
  }

  function drop(name: string): void {
    if (reported.delete(name)) attempt(() => options.onGone(name));
  }

  function lookAgain(name: string): void {
    const inode = inodeOf(join(folder, name));
    if (inode === NO_INODE) resolve(name, "gone");
    else if (reported.get(name) !== inode) look(name, "retry");
  }

  function resolve(name: string, fate: Fate): void {
    const file = unseen.get(name);
    unseen.delete(name);
    if (file === undefined) seenEarly.add(name);
    else file.fate = fate;
  }

  /** By what was made since the last look, so that one costs nothing while nothing is; all names when that is not known. */
  function lookNow(): void {
    const told = attempt(() => made?.take()) ?? "unwatched";
    if (told === "unknown") options.onUnseen(() => "gone");
    // Without a watch nothing can be said of those that are gone, and to suspect all for as long would be no suspicion.
    const names = told === "unwatched" ? "unknown" : told;
    const fresh = (names === "unknown" ? [] : names)
      .filter((name) => name !== HOST_NAMESPACE && !seenEarly.has(name))
      .map((name) => ({ name, fate: "pending" as Fate }));
    for (const file of fresh) unseen.set(file.name, file);
    seenEarly.clear();
    for (const name of new Set([...(names === "unknown" ? namesIn(folder) : names), ...unseen.keys()]))
      attempt(() => lookAgain(name));
    for (const file of fresh) if (file.fate !== "seen") options.onUnseen(() => file.fate);
  }

  function retryLater(name: string): void {
    if (!pending.has(name)) pending.set(name, performance.now() + RETRY_FOR_MS);
    retryTimer ??= setTimeout(contained(retry, told), RETRY_MS);
  }

  function retry(): void {
    retryTimer = undefined;
    for (const [name, until] of pending) {
      if (performance.now() > until || !existsSync(join(folder, name))) pending.delete(name);
      else attempt(() => look(name, "retry"));
    }
  }

  /** One bad file must not keep the others from being seen. */
  function attempt<T>(work: () => T): T | undefined {
    let result: T | undefined;
    contain(() => {
      result = work();
    }, told);
    return result;
  }

  const relistTimer = setInterval(contained(relist, told), RELIST_MS);
  subscribe();
  return {
    lookNow,
    close() {
      made?.close();
      clearInterval(relistTimer);
      clearTimeout(retryTimer);
      pending.clear();
      watched?.watcher.close();
      watched = undefined;
    },
  };
}
