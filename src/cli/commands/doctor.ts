// `dockerwall doctor`: what works and what does not, checked by behaviour.

import { ask, type MethodAnswer } from "../ask.ts";
import { type Command, jsonOption } from "../command.ts";
import { printableSentence, renderJson } from "../terminal/print.ts";

export const command: Command = {
  operands: "",
  summary: "Check the host and every guarded container by behaviour.",
  details:
    "Exit code: 0 if all is well, 1 if anything needs correcting, 69 if no daemon answers. Warnings do not count, as in status.",
  options: { json: jsonOption },
  run: async ({ options, environment, output }) => {
    const report = await ask(environment, "doctor");
    output.write("json" in options ? renderJson(report) : renderDoctor(report));
    return report.checks.every((check) => check.ok) ? 0 : 1;
  },
};

function markOf(ok: boolean, warning: boolean | undefined): string {
  if (!ok) return "❌";
  return warning === true ? "⚠️" : "✅";
}

/** One line per check. */
export function renderDoctor({ checks }: MethodAnswer<"doctor">): string {
  return checks
    .map(
      ({ ok, warning, subject, finding }) =>
        `${markOf(ok, warning)} ${printableSentence(subject)}: ${printableSentence(finding)}\n`,
    )
    .join("");
}
