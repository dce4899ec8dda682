// Counter readings, as they pass from thread to thread and into reports: plain data.

/** A counter and where it stands. */
export interface CounterReading {
  /** `upstream_stray_messages`; unique but for the label. */
  readonly name: string;
  /** One value of the closed set that tells counters of this name apart. */
  readonly label: { readonly name: string; readonly value: string } | undefined;
  /** One sentence: what one more of it means. */
  readonly help: string;
  /** What is counted, as a number is said with it. */
  readonly words: CountedWords;
  readonly value: number;
}

export interface CountedWords {
  readonly one: string;
  readonly many: string;
}

/** The readings of both planes together: what is counted in both under one name is one counter. */
export function sumReadings(readings: readonly CounterReading[]): readonly CounterReading[] {
  const sums = new Map<string, CounterReading>();
  for (const reading of readings) {
    const key = `${reading.name} ${reading.label?.value ?? ""}`;
    const value = (sums.get(key)?.value ?? 0) + reading.value;
    sums.set(key, { ...reading, value });
  }
  return [...sums.values()];
}
