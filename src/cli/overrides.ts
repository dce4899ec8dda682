// What `dockerwall allow` and `dockerwall deny` share: overrides at run time for a network or a container, either for a
// limited time or until the host restarts.

import { parseDuration } from "../core/model/duration.ts";
import type { ChangedOverrides, OverridesReport } from "../core/model/report/overrides.ts";
import { DockerwallError } from "../errors.ts";
import { ask } from "./ask.ts";
import { type Command, type Invocation, jsonOption } from "./command.ts";
import { printable, printableSentence, renderJson, renderLeft } from "./terminal/print.ts";

/** The kernel keeps overrides as entries with a timeout of at most 2,147,483 s. */
const longestSeconds = 24 * 86_400;

const targets =
  "NETWORK and CONTAINER are names, ids, names in Compose (app, web), or PROJECT/NAME. Write network:NAME or container:NAME if both exist. ENTRY is written as in a label, without `!`.";

/** One of the two, as a command: they take the same arguments. */
export function overrideCommand(
  verb: "allow" | "deny",
  { summary, details }: Pick<Command, "summary" | "details">,
): Command {
  return {
    operands: "NETWORK|CONTAINER ENTRY...",
    summary,
    details: `${targets} ${details}`,
    options: {
      for: {
        placeholder: "DURATION",
        help: "end the override after 15m, 2h, 7d (default: when the host restarts)",
      },
      undo: { help: "take the override back" },
      json: jsonOption,
    },
    run: (invocation) => change(verb, invocation),
  };
}

async function change(
  verb: "allow" | "deny",
  { options, operands, environment, output }: Invocation,
): Promise<number> {
  const [name = "", ...entries] = operands;
  const report = await ask(environment, "changeOverrides", {
    verb: "undo" in options ? "undo" : verb,
    target: name,
    entries,
    forSeconds: spanOf(options["for"]),
  });
  output.write("json" in options ? renderJson(report) : renderChange(report, Date.now()));
  return 0;
}

function spanOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  // Ten seconds or ten minutes? Elsewhere plain seconds are fine, but here a slip ends what was just allowed.
  if (/^[0-9]+$/.test(text)) {
    const forms = ["s", "m", "h", "d"]
      .map((unit) => `${text}${unit}`)
      .filter((form) => isSpan(parseDuration(form)));
    const [last] = forms.splice(-1);
    if (last !== undefined)
      throw new DockerwallError(
        "USAGE",
        `--for is ${JSON.stringify(text)}, which has no unit; write ${forms.length === 0 ? last : `${forms.join(", ")} or ${last}`}`,
      );
  }
  const seconds = parseDuration(text);
  if (isSpan(seconds)) return seconds;
  throw new DockerwallError(
    "USAGE",
    `--for is ${JSON.stringify(text)}, but must be a duration from 1s to 24d, as in 15m`,
  );
}

function isSpan(seconds: number | undefined): seconds is number {
  return seconds !== undefined && seconds >= 1 && seconds <= longestSeconds;
}

function renderChange(report: ChangedOverrides, nowMs: number): string {
  const warnings = report.warnings.map((warning) => `Warning: ${printableSentence(warning)}\n`);
  return renderOverrides(report, nowMs) + warnings.join("");
}

/** The overrides in force for a target, one per line. */
export function renderOverrides({ kind, name, overrides }: OverridesReport, nowMs: number): string {
  const place = `${kind} ${printable(name)}`;
  if (overrides.length === 0) return `No overrides for ${place}\n`;
  const lines = overrides.map(({ entry, endsAtMs }) => {
    const verb = entry.startsWith("!") ? `deny ${printable(entry.slice(1))}` : `allow ${printable(entry)}`;
    return `  ${verb}${endsAtMs === undefined ? "" : `, for ${renderLeft(endsAtMs - nowMs)} more`}\n`;
  });
  return `Overrides for ${place}:\n${lines.join("")}`;
}
