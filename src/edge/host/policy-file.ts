// Follows the user's policy file as it changes. A bad or missing file leaves the last good version in force: an editor
// that is halfway through saving must not close or open anything.

import {
  closeSync,
  constants,
  type FSWatcher,
  fstatSync,
  openSync,
  readFileSync,
  statSync,
  watch,
} from "node:fs";
import { dirname } from "node:path";
import {
  closedPolicyFile,
  isBlank,
  maxLength,
  noPolicyFile,
  type PolicyFile,
  parsePolicyFile,
} from "../../core/policy/policy-file.ts";
import type { Presets } from "../../core/policy/preset.ts";
import { messageOf } from "../../errors.ts";
import { systemCode } from "../kernel/system-error.ts";

export interface PolicyFileWatch extends Disposable {
  /** The last good version; the same object until it changes. */
  current(): PolicyFile;
  /** Looks for changes without an event. */
  look(): void;
}

export interface PolicyFileOptions {
  readonly path: string;
  readonly builtIn: Presets;
  /** Called when another version comes into force; must not throw. */
  readonly onChange: () => void;
  /** One sentence, or undefined once all is well again. */
  readonly onProblem: (problem: string | undefined) => void;
}

/**
 * How long a file must stay unchanged before a change counts as complete, milliseconds: a file that is written in place
 * appears in parts, and a part may be valid.
 */
const quietMs = 60;

/** Reads the file and follows it. A missing file at the start is not a problem. */
export function followPolicyFile(options: PolicyFileOptions): PolicyFileWatch {
  const { path, builtIn } = options;
  let last: string | undefined;
  let current = noPolicyFile;
  let wasGood = false;
  let seen = identityOf(path);
  let quietTimer: NodeJS.Timeout | undefined;
  let waitsFor: string | undefined;
  const watchers: FSWatcher[] = [];

  /** Returns whether another file is in force. */
  function reread(): boolean {
    try {
      return rereadNow();
    } catch (error) {
      // What it takes away is not known either.
      return refuse(`it cannot be understood (${messageOf(error)})`, true);
    }
  }

  function rereadNow(): boolean {
    let text: string;
    try {
      text = readText(path);
    } catch (error) {
      const code = systemCode(error);
      if (code === "ENOENT" && last === undefined) return false;
      // Any text that comes next is news, even the one that was good before.
      last = undefined;
      if (code === "ENOENT") return refuse("it is gone", false);
      return refuse(`it cannot be read (${messageOf(error)})`, true);
    }
    if (text === last) return false;
    last = text;
    const result = parsePolicyFile(text, builtIn);
    // A program that rewrites the file empties it first, and may take its time or find the disk full.
    if (isBlank(result) && current !== noPolicyFile)
      return refuse("it has no content; write {} to take back everything it said", false);
    if ("problems" in result) return refuse(result.problems.join("; "), text.includes("!"));
    options.onProblem(undefined);
    current = result.file;
    wasGood = true;
    return true;
  }

  /** Leaves the last good version in force. If there is none, a file that may take something away closes everything. */
  function refuse(problem: string, mayTakeAway: boolean): boolean {
    const closes = !wasGood && !current.closed && mayTakeAway;
    if (closes) current = closedPolicyFile;
    const effect = current.closed
      ? "nothing is allowed on any network until you correct it, as it is not known what it takes away"
      : wasGood
        ? "its last good version stays in force"
        : "nothing of it is in force";
    options.onProblem(`policy file ${path}: ${problem}; ${effect}`);
    return closes;
  }

  /** The folder reports changes of all its files: only a change of this one restarts the wait. */
  function rereadWhenQuiet(): void {
    const now = identityNow();
    if (now === waitsFor) return;
    waitsFor = now;
    clearTimeout(quietTimer);
    quietTimer = setTimeout(() => {
      waitsFor = undefined;
      if (reread()) options.onChange();
    }, quietMs);
  }

  /** The file's identity, or the reason why it has none. */
  function identityNow(): string {
    try {
      return identityOf(path);
    } catch (error) {
      return messageOf(error);
    }
  }

  function follow(place: string): void {
    try {
      const watcher = watch(place, { persistent: false }, rereadWhenQuiet);
      watcher.on("error", () => watcher.close());
      watchers.push(watcher);
    } catch {
      // A place that cannot be watched is read again from time to time.
    }
  }

  reread();
  // A mounted folder reports replaced files; a mounted file is not in the folder where it seems to be.
  follow(dirname(path));
  follow(path);
  return {
    current: () => current,
    look: () => {
      const now = identityNow();
      if (now !== seen) rereadWhenQuiet();
      seen = now;
    },
    [Symbol.dispose]: () => {
      clearTimeout(quietTimer);
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** Reads a regular file of limited length: a pipe would keep the whole daemon waiting for a writer. */
function readText(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(file);
    if (found.isDirectory()) throw new Error("it is a folder");
    if (!found.isFile()) throw new Error("it is not a regular file");
    if (found.size > maxLength)
      throw new Error(`it has ${found.size} bytes, but may have at most ${maxLength}; shorten it`);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

/** Another one for a file that was written or replaced. */
function identityOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.ino} ${found.size} ${found.mtimeMs}`;
}
