// `dockerwall check`: judges labels before anything runs, with the daemon's own code. It only reads files, and needs no
// daemon, no engine and no rights.

import { loadBuiltInPresets } from "../../core/policy/built-in-presets.ts";
import { parsePolicyFile } from "../../core/policy/policy-file.ts";
import type { Presets } from "../../core/policy/preset.ts";
import { DockerwallError } from "../../errors.ts";
import { chooseFiles, isFileName, readText } from "../check/files.ts";
import { type Command, type Invocation, jsonOption } from "../command.ts";
import { renderJson } from "../terminal/print.ts";

export const command: Command = {
  operands: "[COMPOSE_FILE...|ENTRY...]",
  summary:
    "Judge the labels of Compose files, or entries, before anything runs. This needs no daemon and no rights.",
  details: [
    "Without operands, it reads the files that `docker compose` would read here, with .env and the environment.",
    "Operands that end in .yml or .yaml are Compose files, where later ones override earlier ones; others are entries.",
    "Exit code: 0 if a daemon would enforce everything, 1 on a problem, 2 on bad usage.",
  ].join("\n"),
  options: {
    "policy-file": { placeholder: "PATH", help: "also use the presets of this policy file" },
    json: jsonOption,
  },
  usageExitCode: 2,
  run: async (invocation) => {
    const { options, operands } = invocation;
    const presets = presetsOf(options["policy-file"]);
    const files = operands.filter(isFileName);
    if (files.length > 0 && files.length < operands.length) {
      const other = operands.find((operand) => !isFileName(operand)) ?? "";
      throw new DockerwallError(
        "USAGE",
        `check takes Compose files or entries, not both; ${JSON.stringify(other)} does not end in .yml or .yaml`,
      );
    }
    const isEntries = operands.length > 0 && files.length === 0;
    return isEntries ? checkEntries(invocation, presets) : checkFiles(invocation, presets);
  },
};

async function checkFiles(
  { options, operands, environment, output }: Invocation,
  presets: Presets,
): Promise<number> {
  const { loadProject } = await import("../../core/compose/load.ts");
  const { readProject } = await import("../../core/compose/project.ts");
  const { judge } = await import("../../core/check/judge.ts");
  const { renderCheck } = await import("../check/report.ts");
  const lookup = (name: string): string | undefined => environment[name];
  const files = chooseFiles(operands, lookup);
  const { tree, problems, unread } = loadProject({ files, read: readText, environment: lookup });
  const report = judge({ project: readProject(tree), tree, problems, unread, presets });
  output.write("json" in options ? renderJson({ files, ...report }) : renderCheck(report, output.styled));
  return report.ok ? 0 : 1;
}

async function checkEntries({ options, operands, output }: Invocation, presets: Presets): Promise<number> {
  const { checkList } = await import("../../core/check/list.ts");
  const { renderList } = await import("../check/report.ts");
  const report = checkList(operands.join(" "), presets);
  output.write("json" in options ? renderJson(report) : renderList(report));
  return report.ok ? 0 : 1;
}

/** The presets that come with Dockerwall, and those of a policy file. */
function presetsOf(path: string | undefined): Presets {
  const builtIn = loadBuiltInPresets();
  if (path === undefined) return builtIn;
  const found = readText(path) ?? { problem: "there is no such file" };
  const result = "text" in found ? parsePolicyFile(found.text, builtIn) : { problems: [found.problem] };
  if ("file" in result) return new Map([...builtIn, ...result.file.presets]);
  throw new DockerwallError("USAGE", `--policy-file ${path}: ${result.problems.join("; ")}`);
}
