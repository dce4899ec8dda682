// Follows the user's policy file as it changes. A bad or missing file leaves the last good version in force: an editor
// that is halfway through saving must not close or open anything.

import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync } from "node:fs";
import { type FoundFile, PolicyFileVersions, type Taken } from "../../core/policy/policy-file/versions.ts";
import { maxLength, type PolicyFile } from "../../core/policy/policy-file.ts";
import type { Presets } from "../../core/policy/preset.ts";
import { messageOf } from "../../errors.ts";
import { systemCode } from "../kernel/system-error.ts";
import { type PolicyFilePlace, settings } from "./config/settings.ts";
import { FileWatch } from "./file-watch.ts";

export interface PolicyFileWatch extends Disposable {
  /** The last good version; the same object until it changes. */
  current(): PolicyFile;
  /** Whether a version of the file is in force. */
  isInForce(): boolean;
  /** Looks for changes without an event. */
  look(): void;
}

export interface PolicyFileOptions extends PolicyFilePlace {
  readonly builtIn: Presets;
  /** Called when another version comes into force. */
  readonly onChange: () => void;
  /** One sentence, or undefined once all is well again. */
  readonly onProblem: (problem: string | undefined) => void;
  /** What breaks nothing, one sentence; undefined once it is no longer so. */
  readonly onWarning: (warning: string | undefined) => void;
}

/** Reads the file and follows it. A file that is missing at the start is a problem where a setting names it. */
export function followPolicyFile(options: PolicyFileOptions): PolicyFileWatch {
  const { path, chosenBy, builtIn, onChange, onProblem, onWarning } = options;
  const versions = new PolicyFileVersions(builtIn, path, chosenBy);
  let warning: string | undefined;
  const problem = (what: string): void => onProblem(`policy file ${path}: ${what}`);
  const look = (): void => {
    if (reread()) onChange();
    warn();
  };
  const watch = new FileWatch(path, look, (error) => problem(messageOf(error)));

  /** Returns whether another version is in force. */
  function reread(): boolean {
    const { changed, news } = takeFrom(path, versions);
    if (news === undefined) onProblem(undefined);
    else if (news !== null) problem(news);
    return changed;
  }

  /** No event of the file's tells of another file. */
  function warn(): void {
    const other = chosenBy === undefined && !existsSync(path) ? insteadOf(path) : undefined;
    const next =
      other &&
      `policy file ${path}: there is none, and ${other} is not read; rename it, or set ${settings.policyFile.env} to its path`;
    if (next === warning) return;
    warning = next;
    onWarning(next);
  }

  reread();
  warn();
  watch.follow();
  return {
    current: () => versions.current,
    isInForce: () => versions.isInForce,
    look() {
      watch.look();
      warn();
    },
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
    if (systemCode(error) === "ENOENT") return { kind: "missing", instead: insteadOf(path) };
    return { kind: "unreadable", why: messageOf(error) };
  }
}

/** A file beside it that ends in `.yaml` and not in `.yml`, or the other way round. */
function insteadOf(path: string): string | undefined {
  const other = path.endsWith(".yml") ? path.replace(/yml$/, "yaml") : path.replace(/\.yaml$/, ".yml");
  return other !== path && existsSync(other) ? other : undefined;
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
