// `dockerwall presets`: shows what `@debian` and the like stand for, and where each entry is documented.

import { didYouMean } from "../../core/model/did-you-mean.ts";
import { builtInPresets, presetsVersion } from "../../core/policy/built-in-presets.ts";
import { DockerwallError } from "../../errors.ts";
import { type Command, jsonOption } from "../command.ts";
import { renderJson } from "../terminal/print.ts";
import { renderTable } from "../terminal/table.ts";

const left = { align: "left" } as const;

export const command: Command = {
  operands: "[NAME]",
  summary: "List the presets that come with Dockerwall, or the entries of one with their sources.",
  details: "A policy file can add presets or replace these; docs/policy.md explains how.",
  options: { json: jsonOption },
  run: async ({ options, operands, output }) => {
    const name = operands[0]?.replace(/^@/, "");
    if (name !== undefined && !Object.hasOwn(builtInPresets, name)) {
      const hint = didYouMean(name, Object.keys(builtInPresets));
      throw new DockerwallError(
        "NOT_FOUND",
        `there is no preset @${name}${hint || "; see dockerwall presets"}`,
      );
    }
    output.write("json" in options ? renderJson(reportOf(name)) : renderPresets(name));
    return 0;
  },
};

function reportOf(name: string | undefined): unknown {
  const chosen = name === undefined ? builtInPresets : { [name]: builtInPresets[name] };
  return { version: presetsVersion, presets: chosen };
}

/** All presets with their summaries, or one with its entries. */
export function renderPresets(name: string | undefined): string {
  if (name === undefined) {
    const rows = Object.entries(builtInPresets).map(([preset, { summary }]) => [`@${preset}`, summary]);
    return `Presets of ${presetsVersion}:\n${renderTable([left, left], rows, "  ")}`;
  }
  const { summary, entries } = builtInPresets[name] ?? { summary: "", entries: {} };
  return `@${name}, ${summary}:\n${renderTable([left, left], Object.entries(entries), "  ")}`;
}
