// What labels mean for grants: every label that affects grants is part of a policy's key; in quarantine none applies.

import { type NetworkLabels, networkLabelKeys, valueLabels } from "./table.ts";

const rows = valueLabels.network;

const affecting = networkLabelKeys.filter((key) => rows[key].affectsGrants);

/**
 * Stands for all that these labels grant: a new key means a new policy. It is stable across runs of the daemon. A label
 * that only states the default adds nothing, so that a version with more labels does not judge everything again.
 */
export function grantKeyOf(labels: NetworkLabels): string {
  const others = affecting.flatMap((key) => {
    const value = JSON.stringify(labels[key]);
    return value === JSON.stringify(rows[key].absent) ? [] : [`${key}=${value}`];
  });
  return others.length === 0 ? "enforce" : others.join(" ");
}

/** The labels without anything that could grant something. */
export function withoutGrants(labels: NetworkLabels): NetworkLabels {
  return { ...labels, ...Object.fromEntries(affecting.map((key) => [key, rows[key].strict])) };
}
