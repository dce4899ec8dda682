// The counters of this thread: plain numbers that only rise, once it has started. Each is declared where it is counted,
// and the declaration is all it needs to be reported: `status` and any exporter go by the registry, not by names.

import type { CountedWords, CounterReading } from "./reading.ts";

export interface CounterSpec {
  /** snake_case, unique. */
  readonly name: string;
  readonly help: string;
  readonly words: CountedWords;
}

export class Counter {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  add(by = 1): void {
    this.#value += by;
  }

  reset(): void {
    this.#value = 0;
  }
}

interface Declared {
  readonly spec: CounterSpec;
  readonly label: CounterReading["label"];
  readonly counter: Counter;
}

const declared: Declared[] = [];

/** Declares a counter, once for each thread. @throws when the name is taken: two meanings would be one number */
export function declareCounter(spec: CounterSpec): Counter {
  assertNew(spec);
  return register(spec, undefined);
}

/** Declares a counter for each value of a label: a closed set, so that nobody who sends to us makes more of them. */
export function declareCounters<const Value extends string>(
  spec: CounterSpec & { readonly label: { readonly name: string; readonly values: readonly Value[] } },
): Readonly<Record<Value, Counter>> {
  assertNew(spec);
  const { name, values } = spec.label;
  const counters = values.map((value) => [value, register(spec, { name, value })]);
  return Object.fromEntries(counters) as Record<Value, Counter>;
}

/** Where all counters of this thread stand, those at nought too. */
export function readCounters(): readonly CounterReading[] {
  return declared.map(({ spec: { name, help, words }, label, counter: { value } }) => ({
    name,
    label,
    help,
    words,
    value,
  }));
}

/** Before anything of account has been counted: what was is nobody's. */
export function resetCounters(): void {
  for (const { counter } of declared) counter.reset();
}

function assertNew({ name }: CounterSpec): void {
  if (declared.some(({ spec }) => spec.name === name)) throw new Error(`counter ${name} is declared twice`);
}

function register(spec: CounterSpec, label: CounterReading["label"]): Counter {
  const counter = new Counter();
  declared.push({ spec, label, counter });
  return counter;
}
