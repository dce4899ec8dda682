// The user's policy file, followed while it changes. A bad one, or one that is gone, leaves the last good one in force:
// an editor that is halfway through must not close or open anything.

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
  /** The last good one; the same object until it is another. */
  current(): PolicyFile;
  /** Looks for changes that nobody tells of. */
  look(): void;
}

export interface PolicyFileOptions {
  readonly path: string;
  readonly builtIn: Presets;
  /** Called when what is in force is another one; must not throw. */
  readonly onChange: () => void;
  /** One sentence, or undefined when all is well again. */
  readonly onProblem: (problem: string | undefined) => void;
}

/**
 * For how long nothing may have changed before a change is taken for whole, milliseconds: a file that is written in
 * place is there in parts, and a part of it may be good.
 */
const quietMs = 60;

/** Reads the file and follows it. That none is there at the start is no problem. */
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
      // Whatever comes next is news, also the very text that was good before.
      last = undefined;
      if (code === "ENOENT") return refuse("it is gone", false);
      return refuse(`it cannot be read (${messageOf(error)})`, true);
    }
    if (text === last) return false;
    last = text;
    const result = parsePolicyFile(text, builtIn);
    // Whoever writes it anew empties it first, and may take his time, or find the disk full.
    if (isBlank(result) && current !== noPolicyFile)
      return refuse("it says nothing; write {} to take back what it said", false);
    if ("problems" in result) return refuse(result.problems.join("; "), text.includes("!"));
    options.onProblem(undefined);
    current = result.file;
    wasGood = true;
    return true;
  }

  /** Leaves the last good one in force. Without one, what may take something away closes everything. */
  function refuse(problem: string, mayTakeAway: boolean): boolean {
    const closes = !wasGood && !current.closed && mayTakeAway;
    if (closes) current = closedPolicyFile;
    const effect = current.closed
      ? "nothing is allowed on any network until it is corrected, as what it takes away is not known"
      : wasGood
        ? "what it said before stays in force"
        : "nothing of it is in force";
    options.onProblem(`policy file ${path}: ${problem}; ${effect}`);
    return closes;
  }

  /** The folder tells of every file in it: only a change of this one has it wait for longer. */
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

  /** The identity, or why there is none to be had. */
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
      // What cannot be watched is read again from time to time.
    }
  }

  reread();
  // A mounted folder tells of files that are replaced; a mounted file is not in the folder where it seems to be.
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

/** Reads what is a file and not too long: a pipe would wait for a writer for ever, and the whole daemon with it. */
function readText(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(file);
    if (found.isDirectory()) throw new Error("it is a folder");
    if (!found.isFile()) throw new Error("it is not a regular file");
    if (found.size > maxLength) throw new Error(`it has ${found.size} bytes; at most ${maxLength} are read`);
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
