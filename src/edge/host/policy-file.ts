// Follows the user's policy file as it changes. A bad or missing file leaves the last good version in force: an editor
// that is halfway through saving must not close or open anything.

import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { type FoundFile, PolicyFileVersions, type Taken } from "../../core/policy/policy-file/versions.ts";
import { maxLength, type PolicyFile } from "../../core/policy/policy-file.ts";
import type { Presets } from "../../core/policy/preset.ts";
import { messageOf } from "../../errors.ts";
import { systemCode } from "../kernel/system-error.ts";
import { FileWatch } from "./file-watch.ts";

export interface PolicyFileWatch extends Disposable {
  /** The last good version; the same object until it changes. */
  current(): PolicyFile;
  /** Looks for changes without an event. */
  look(): void;
}

export interface PolicyFileOptions {
  readonly path: string;
  readonly builtIn: Presets;
  /** Called when another version comes into force. */
  readonly onChange: () => void;
  /** One sentence, or undefined once all is well again. */
  readonly onProblem: (problem: string | undefined) => void;
}

/** Reads the file and follows it. A missing file at the start is not a problem. */
export function followPolicyFile({ path, builtIn, onChange, onProblem }: PolicyFileOptions): PolicyFileWatch {
  const versions = new PolicyFileVersions(builtIn);
  const problem = (what: string): void => onProblem(`policy file ${path}: ${what}`);
  const look = (): void => {
    if (reread()) onChange();
  };
  const watch = new FileWatch(path, look, (error) => problem(messageOf(error)));

  /** Returns whether another version is in force. */
  function reread(): boolean {
    const { changed, news } = takeFrom(path, versions);
    if (news === undefined) onProblem(undefined);
    else if (news !== null) problem(news);
    return changed;
  }

  reread();
  watch.follow();
  return {
    current: () => versions.current,
    look: () => watch.look(),
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  };
}

function takeFrom(path: string, versions: PolicyFileVersions): Taken {
  try {
    return versions.take(find(path));
  } catch (error) {
    return versions.take({ kind: "not-understood", why: messageOf(error) });
  }
}

function find(path: string): FoundFile {
  try {
    return { kind: "text", text: readText(path) };
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { kind: "missing" };
    return { kind: "unreadable", why: messageOf(error) };
  }
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
