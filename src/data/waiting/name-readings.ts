// Which reading of the engine tells whether a new container is called by a name that nobody is known by. One reading a
// second serves all of them. A reading that had begun before a name was asked for may have missed the container, so it
// tells nothing of it; but a resolver asks for both families at once, and the second does not wait longer than the first.

import type { OnFailure } from "../../core/contain.ts";
import { contain } from "../../core/contain.ts";

/** Readings of the engine, each by its number. */
export interface EngineReadings {
  /** Asks for one that begins after this call. @returns its number; later ones have greater numbers */
  ask(): number;
  /** Whether it is over, or a later one is, and its picture in use. */
  isOver(number: number): boolean;
}

export interface NameReadingsOptions {
  readonly engine: EngineReadings;
  readonly nowMs: () => number;
  readonly after: (ms: number, work: () => void, onFailure: OnFailure) => () => void;
  /** Told of a reading that could not be asked for. */
  readonly onFailure: OnFailure;
}

/** One that names wait for. */
interface NameReading {
  readonly names: Set<string>;
  /** Undefined until it is asked for. */
  number: number | undefined;
}

/** Between the beginnings of two readings, ms. */
const betweenMs = 1_000;
/** Names that one reading tells two lookups of; more are asked for by one each. */
const namesAtMost = 8_192;

export class NameReadings {
  readonly #options: NameReadingsOptions;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #current: NameReading | undefined;
  /** Waits for its second. */
  #next: NameReading | undefined;

  constructor(options: NameReadingsOptions) {
    this.#options = options;
  }

  /** @returns whether the engine has been read for it, whenever that is asked */
  demand(name: string): () => boolean {
    const reading = this.#joinable(name) ?? this.#next ?? this.#plan();
    if (reading.names.size < namesAtMost) reading.names.add(name);
    return () => this.#isOver(reading);
  }

  /** One under way that was asked for this name a moment ago; what takes longer may have failed. */
  #joinable(name: string): NameReading | undefined {
    const current = this.#current;
    if (current === undefined || !current.names.has(name) || this.#isOver(current)) return undefined;
    return this.#options.nowMs() - this.#askedAtMs < betweenMs ? current : undefined;
  }

  #isOver({ number }: NameReading): boolean {
    return number !== undefined && this.#options.engine.isOver(number);
  }

  #plan(): NameReading {
    const { nowMs, after, onFailure } = this.#options;
    const reading: NameReading = { names: new Set(), number: undefined };
    const leftMs = this.#askedAtMs + betweenMs - nowMs();
    if (leftMs <= 0) this.#begin(reading);
    else {
      this.#next = reading;
      after(leftMs, () => this.#begin(reading), onFailure);
    }
    return reading;
  }

  #begin(reading: NameReading): void {
    const { engine, nowMs, onFailure } = this.#options;
    if (this.#next === reading) this.#next = undefined;
    this.#current = reading;
    this.#askedAtMs = nowMs();
    contain(() => {
      reading.number = engine.ask();
    }, onFailure);
  }
}
