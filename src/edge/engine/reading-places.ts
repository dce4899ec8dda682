// Places for readings that the engine has to answer at a time; who finds none waits in a row.

export class ReadingPlaces {
  readonly #limit: number;
  readonly #row: (() => void)[] = [];
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Resolves to what gives the place back, once. */
  async take(): Promise<() => void> {
    if (this.#taken >= this.#limit) await new Promise<void>((resolve) => this.#row.push(resolve));
    this.#taken += 1;
    let isBack = false;
    return () => {
      if (!isBack) this.#giveBack();
      isBack = true;
    };
  }

  #giveBack(): void {
    this.#taken -= 1;
    this.#row.shift()?.();
  }
}
