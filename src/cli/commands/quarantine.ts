// `dockerwall quarantine`: cuts a container off at once, whatever its allowlist says.

import { ask, type MethodAnswer } from "../ask.ts";
import { type Command, jsonOption } from "../command.ts";
import { printable, printableSentence, renderJson } from "../terminal/print.ts";

export const command: Command = {
  operands: "CONTAINER",
  summary: "Cut a container off from everything, open connections included.",
  details:
    "CONTAINER is a name, an id or the beginning of one, a Compose service, or PROJECT/SERVICE. It stays cut off, even across restarts of the daemon, until you release or remove it; a new container of the same name is another one, and status says so. Exit code: 0 if it is cut off, 1 if it has what no wall holds (NET_ADMIN, the Docker socket and the like) and may leave all the same, or if the ports of containers are not guarded on this host, so that neighbours may reach it.",
  options: { json: jsonOption },
  run: async ({ options, operands, environment, output }) => {
    const [container = ""] = operands;
    const report = await ask(environment, "quarantine", {
      container,
    });
    output.write("json" in options ? renderJson(report) : renderCutOff(report));
    return report.warnings.length === 0 ? 0 : 1;
  },
};

function renderCutOff({ container, warnings }: MethodAnswer<"quarantine">): string {
  const lines = [
    `Container ${printable(container)} is cut off`,
    ...warnings.map((warning) => `Warning: ${printableSentence(warning)}`),
  ];
  return `${lines.join("\n")}\n`;
}
