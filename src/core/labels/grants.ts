// What labels mean for grants: a policy is known by every label that affects them, and a quarantine knows none of them.

import { type NetworkLabels, valueLabels } from "./table.ts";

const affecting = (Object.keys(valueLabels) as readonly (keyof NetworkLabels)[]).filter(
  (key) => valueLabels[key].affectsGrants,
);

/**
 * Stands for all that these labels grant: another key, another policy. Equal from one run of the daemon to the next; a
 * label that says what is so without it adds nothing, so that a version with more labels judges nobody anew.
 */
export function grantKeyOf(labels: NetworkLabels): string {
  const others = affecting.flatMap((key) => {
    const value = JSON.stringify(labels[key]);
    return value === JSON.stringify(valueLabels[key].absent) ? [] : [`${key}=${value}`];
  });
  return others.length === 0 ? "enforce" : others.join(" ");
}

/** The labels with everything taken out that could grant something. */
export function withoutGrants(labels: NetworkLabels): NetworkLabels {
  return { ...labels, ...Object.fromEntries(affecting.map((key) => [key, valueLabels[key].strict])) };
}
