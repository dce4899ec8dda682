// What this thread has counted meanwhile, by name: counters go on from test to test.

import type { CounterReading } from "../../src/core/counters/reading.ts";
import { readCounters } from "../../src/core/counters/registry.ts";

/** Those that have risen, with the value of their label where they have one. */
export function countedSince(before: readonly CounterReading[]): Readonly<Record<string, number>> {
  const keyOf = ({ name, label }: CounterReading): string =>
    label === undefined ? name : `${name} ${label.value}`;
  const values = new Map(before.map((reading) => [keyOf(reading), reading.value]));
  const risen = readCounters().map((reading): [string, number] => {
    const key = keyOf(reading);
    return [key, reading.value - (values.get(key) ?? 0)];
  });
  return Object.fromEntries(risen.filter(([, rise]) => rise > 0));
}
