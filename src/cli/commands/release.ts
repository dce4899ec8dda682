// `dockerwall release`: ends a quarantine.

import { ask } from "../ask.ts";
import { type Command, jsonOption } from "../command.ts";
import { printable, renderJson } from "../terminal/print.ts";

export const command: Command = {
  operands: "CONTAINER",
  summary: "Let a container out of quarantine.",
  details:
    "CONTAINER is a name, an id or the beginning of one, a Compose service, or PROJECT/SERVICE. Its network's allowlist applies again; the container must reconnect. Of a new container, made under the name of one in quarantine that is gone, it says that this one is meant to be out: status warns no more.",
  options: { json: jsonOption },
  run: async ({ options, operands, environment, output }) => {
    const [container = ""] = operands;
    const report = await ask(environment, "release", { container });
    const text = `Container ${printable(report.container)} is released\n`;
    output.write("json" in options ? renderJson(report) : text);
    return 0;
  },
};
