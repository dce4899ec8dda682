// Files that were made in the folder and on which no namespace has been seen yet, and what became of each.

/** `seen`: it was reported, or is nobody's; `gone`: the file is gone too; `pending`: nothing is known yet. */
export type Fate = "pending" | "seen" | "gone";

export interface MadeFile {
  readonly name: string;
  fate: Fate;
}

export class UnseenFiles {
  readonly #files = new Map<string, MadeFile>();
  /** What was resolved since it was last asked which files were made. */
  readonly #resolvedEarly = new Set<string>();

  /** Files have been made. @returns those of which nothing is known yet; their fate changes with what is learned */
  add(names: readonly string[]): readonly MadeFile[] {
    const fresh = names
      .filter((name) => !this.#resolvedEarly.has(name))
      .map((name): MadeFile => ({ name, fate: "pending" }));
    for (const file of fresh) this.#files.set(file.name, file);
    this.#resolvedEarly.clear();
    return fresh;
  }

  /** It may be one of which it is not known yet that it was made. */
  resolve(name: string, fate: Fate): void {
    const file = this.#files.get(name);
    this.#files.delete(name);
    if (file === undefined) this.#resolvedEarly.add(name);
    else file.fate = fate;
  }

  names(): readonly string[] {
    return [...this.#files.keys()];
  }
}
