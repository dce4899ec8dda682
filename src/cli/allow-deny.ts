// `dockerwall allow` and `dockerwall deny`: overrides at run time, for a network or a container, for a while or until the
// host is restarted.

import { parseDuration } from "../core/model/duration.ts";
import type { OverridesReport } from "../core/model/report.ts";
import { createControlClient } from "../edge/control-socket/client.ts";
import { controlSocketOf } from "../edge/control-socket/path.ts";
import { DockerwallError } from "../errors.ts";
import { type Command, type Invocation, jsonOption } from "./command.ts";
import { printable, renderJson, renderSpan } from "./terminal/print.ts";

/** The kernel keeps overrides as entries that time out, after 2,147,483 s at most. */
const longestSeconds = 24 * 86_400;

const common = {
  operands: "NETWORK|CONTAINER ENTRY...",
  leastOperands: 2,
  mostOperands: Number.POSITIVE_INFINITY,
  options: {
    for: {
      placeholder: "DURATION",
      help: "end the override after 15m, 2h, 7d; without it it is in force until the host restarts",
    },
    undo: { help: "take such an override back" },
    json: jsonOption,
  },
} as const;

const target =
  "Write network:NAME or container:NAME where both have the name. ENTRY is what a label takes, without `!`.";

export const allowCommand: Command = {
  ...common,
  summary: "Let a guarded network, or one container on it, reach more.",
  details: `${target} It takes the place of a \`deny\` of the same entry; a \`!\` in a label still wins.`,
  run: (invocation) => change("allow", invocation),
};

export const denyCommand: Command = {
  ...common,
  summary:
    "Take something away from a guarded network, or from one container on it; open connections to it are cut.",
  details: `${target} It wins over every label.`,
  run: (invocation) => change("deny", invocation),
};

async function change(
  verb: "allow" | "deny",
  { options, operands, environment, output }: Invocation,
): Promise<number> {
  const [name = "", ...entries] = operands;
  const client = createControlClient({ path: controlSocketOf(environment) });
  const report = await client.changeOverrides({
    verb: "undo" in options ? "undo" : verb,
    target: name,
    entries,
    forSeconds: spanOf(options["for"]),
  });
  output.write("json" in options ? renderJson(report) : renderOverrides(report, Date.now()));
  return 0;
}

function spanOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = parseDuration(text);
  if (seconds !== undefined && seconds >= 1 && seconds <= longestSeconds) return seconds;
  throw new DockerwallError(
    "USAGE",
    `--for takes a duration up to 24d, as in 15m, but got ${JSON.stringify(text)}`,
  );
}

/** What is in force for a target by command, a line each. */
export function renderOverrides({ kind, name, overrides }: OverridesReport, nowMs: number): string {
  const place = `${kind} ${printable(name)}`;
  if (overrides.length === 0) return `No overrides for ${place}\n`;
  const lines = overrides.map(({ entry, endsAtMs }) => {
    const verb = entry.startsWith("!") ? `deny ${printable(entry.slice(1))}` : `allow ${printable(entry)}`;
    return `  ${verb}${endsAtMs === undefined ? "" : `, for ${renderSpan(endsAtMs - nowMs)} more`}\n`;
  });
  return `Overrides for ${place}:\n${lines.join("")}`;
}
