// The user's policy file, followed while it changes. A bad one, or one that is gone, leaves the last good one in force:
// an editor that is halfway through must not close or open anything.

import { type FSWatcher, readFileSync, watch } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../errors.ts";
import { noPolicyFile, type PolicyFile, parsePolicyFile } from "../policy/policy-file.ts";
import type { Presets } from "../policy/preset.ts";
import { systemCode } from "./system-error.ts";

export interface PolicyFileWatch extends Disposable {
  /** The last good one; the same object until it is another. */
  current(): PolicyFile;
  /** Reads again; true when what is in force is another one now. For those changes that nobody tells of. */
  reread(): boolean;
}

export interface PolicyFileOptions {
  readonly path: string;
  readonly builtIn: Presets;
  /** Called when what is in force is another one. */
  readonly onChange: () => void;
  /** One sentence, or undefined when all is well again. */
  readonly onProblem: (problem: string | undefined) => void;
}

/** Reads the file and follows it. That none is there at the start is no problem. */
export function followPolicyFile(options: PolicyFileOptions): PolicyFileWatch {
  const { path, builtIn } = options;
  let last: string | undefined;
  let current = noPolicyFile;
  const watchers: FSWatcher[] = [];

  function reread(): boolean {
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if (systemCode(error) !== "ENOENT") tell(`cannot be read (${messageOf(error)})`);
      else if (last !== undefined) tell("is gone");
      return false;
    }
    if (text === last) return false;
    last = text;
    const result = parsePolicyFile(text, builtIn);
    if ("problems" in result) {
      tell(result.problems.join("; "));
      return false;
    }
    options.onProblem(undefined);
    current = result.file;
    return true;
  }

  function tell(problem: string): void {
    const effect =
      current === noPolicyFile ? "nothing of it is in force" : "what it said before stays in force";
    options.onProblem(`policy file ${path}: ${problem}; ${effect}`);
    // Whatever comes next is news, also the very text that was good before.
    if (problem === "is gone") last = "";
  }

  function follow(place: string): void {
    try {
      const watcher = watch(place, { persistent: false }, () => {
        if (reread()) options.onChange();
      });
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
    reread,
    [Symbol.dispose]: () => {
      for (const watcher of watchers) watcher.close();
    },
  };
}
