// What a network's labels say, in words for people.

import { type NetworkLabels, valueLabelKeys, valueLabels } from "./table.ts";

/** One phrase for each label whose value does not go without saying, in the order of the table. */
export function shownLabels(labels: NetworkLabels): readonly string[] {
  const show = <Key extends keyof NetworkLabels>(key: Key): string | undefined =>
    valueLabels[key].shown(labels[key]);
  return valueLabelKeys.flatMap((key) => show(key) ?? []);
}
