// What a network's labels say about denials: whether they are enforced, and how a container learns of one.

import type { Network } from "../model/topology.ts";
import { denyLabel, modeLabel } from "./table.ts";

export interface ModeLabels {
  readonly audit: boolean;
  readonly reject: boolean;
  /** One sentence each. */
  readonly problems: readonly string[];
}

/** Reads both labels. A bad one means the strict default. */
export function readModeLabels(network: Network): ModeLabels {
  const problems: string[] = [];
  const read = (label: string, strict: string, other: string): boolean => {
    const value = network.labels[label]?.trim() ?? strict;
    if (value !== strict && value !== other) {
      problems.push(
        `network ${JSON.stringify(network.name)}, label ${label}: it is ${JSON.stringify(value.slice(0, 80))}, but must be ${strict} or ${other}; ${strict} is in force`,
      );
    }
    return value === other;
  };
  return { audit: read(modeLabel, "enforce", "audit"), reject: read(denyLabel, "drop", "reject"), problems };
}
