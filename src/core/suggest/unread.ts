// Labels that `suggest` prints as they stand although they cannot be read, and what is wrong with them.

import { type LabelPlace, labelName, placeOf, valueLabels } from "../labels/table.ts";
import { describeProblem, parseAllowlist } from "../policy/allowlist.ts";
import type { Presets } from "../policy/preset.ts";

export interface LabelledOwner {
  readonly kind: LabelPlace;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One sentence for each mistake in the labels that are printed. */
export function tellUnread(owner: LabelledOwner, presets: Presets): string[] {
  const tell = (key: "allow" | "types", problems: readonly string[]): string[] =>
    problems.map(
      (problem) =>
        `${placeOf(owner, labelName(key))}: ${problem}; the label is printed as it stands, and cannot be read until you correct that`,
    );
  const parsed = parseAllowlist(owner.labels[labelName("allow")] ?? "", presets);
  const types = owner.kind === "network" ? owner.labels[labelName("types")] : undefined;
  const read = types === undefined ? undefined : valueLabels.network.types.parse(types);
  return [
    ...tell("allow", parsed.ok ? [] : parsed.problems.map(describeProblem)),
    ...tell("types", read !== undefined && "problems" in read ? read.problems : []),
  ];
}
