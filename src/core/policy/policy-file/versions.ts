// Which version of the policy file is in force. A bad or missing file leaves the last good one in force; if there was
// none, a file that may take something away closes everything.

import { closedPolicyFile, isBlank, noPolicyFile, type PolicyFile, parsePolicyFile } from "../policy-file.ts";
import type { Presets } from "../preset.ts";

/** What was found in the file's place; `failed` is why nothing could be read there. */
export type FoundFile =
  | { readonly kind: "text"; readonly text: string }
  /** `instead` is a file of almost its name. */
  | { readonly kind: "missing"; readonly instead?: string | undefined }
  | { readonly kind: "unreadable" | "not-understood"; readonly why: string };

/** What a look at the file changes. */
export interface Taken {
  /** Whether another version is in force. */
  readonly changed: boolean;
  /** What is to be told: one sentence, or undefined once all is well; null for no news. */
  readonly news: string | undefined | null;
}

const noNews: Taken = { changed: false, news: null };

export class PolicyFileVersions {
  readonly #builtIn: Presets;
  readonly #path: string;
  /** The last text, good or bad; undefined while there is none. */
  #text: string | undefined;
  readonly #chosenBy: string | undefined;
  /** Until the first look. */
  #isStart = true;
  #current = noPolicyFile;
  /** Whether a good version has been in force. */
  #wasGood = false;
  /** How often something has closed everything. */
  #closed = 0;

  /** @param chosenBy the setting that names the file; where none does, there need not be one */
  constructor(builtIn: Presets, path: string, chosenBy?: string) {
    this.#builtIn = builtIn;
    this.#path = path;
    this.#chosenBy = chosenBy;
  }

  /** Whether a version of the file is in force, be it an earlier one. */
  get isInForce(): boolean {
    return this.#wasGood;
  }

  /** The version in force; the same object until another one is. */
  get current(): PolicyFile {
    return this.#current;
  }

  /** Takes what was found. @throws what parsing it throws, which is a fault of ours: see take() of "not-understood" */
  take(found: FoundFile): Taken {
    const isStart = this.#isStart;
    this.#isStart = false;
    if (found.kind === "text") return this.#takeText(found.text);
    // What it takes away is not known either.
    if (found.kind === "not-understood") return this.#refuse(`it cannot be understood (${found.why})`, true);
    if (found.kind === "missing" && this.#text === undefined)
      return isStart && this.#chosenBy !== undefined ? this.#refuseMissing(this.#chosenBy, found) : noNews;
    // Any text that comes next is news, even the one that was good before.
    this.#text = undefined;
    if (found.kind === "missing") return this.#refuse("it is gone", false);
    return this.#refuse(`it cannot be read (${found.why})`, true);
  }

  /** At a path that was chosen there is a file that says something; what, is not known. */
  #refuseMissing(chosenBy: string, { instead }: FoundFile & { readonly kind: "missing" }): Taken {
    const other = instead === undefined ? "" : `, and ${instead} is there instead`;
    return this.#refuse(`there is no such file, though ${chosenBy} names it${other}`, true, "it is there");
  }

  #takeText(text: string): Taken {
    if (text === this.#text) return noNews;
    this.#text = text;
    const result = parsePolicyFile(text, this.#builtIn);
    // A program that rewrites the file empties it first, and may take its time or find the disk full.
    if (isBlank(result) && this.#current !== noPolicyFile)
      return this.#refuse("it has no content; write {} to take back everything it said", false);
    if ("problems" in result) return this.#refuse(result.problems.join("; "), text.includes("!"));
    this.#current = result.file;
    this.#wasGood = true;
    return { changed: true, news: undefined };
  }

  #refuse(problem: string, mayTakeAway: boolean, closedUntil = "you correct it"): Taken {
    const closing = this.#current.closing;
    const why = `policy file ${this.#path}: ${problem}`;
    // What is closed stays so, and tells of what is wrong by now.
    const closes = closing === undefined ? !this.#wasGood && mayTakeAway : closing.unread !== why;
    if (closes) this.#current = closedPolicyFile(why, ++this.#closed);
    const effect = this.#current.closing
      ? `nothing is allowed on any network until ${closedUntil}, as it is not known what it takes away`
      : this.#wasGood
        ? "its last good version stays in force"
        : "nothing of it is in force";
    return { changed: closes, news: `${problem}; ${effect}` };
  }
}
