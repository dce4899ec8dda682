// What a network's labels say, in words for people.

import { type NetworkLabels, networkLabelKeys, valueLabels } from "./table.ts";

/** One phrase for each label whose value does not go without saying, in the order of the table. */
export function shownLabels(labels: NetworkLabels): readonly string[] {
  const show = <Key extends keyof NetworkLabels>(key: Key): string | undefined =>
    valueLabels.network[key].shown(labels[key]);
  return networkLabelKeys.flatMap((key) => show(key) ?? []);
}
