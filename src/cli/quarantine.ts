// `dockerwall quarantine`: cuts a container off at once, whatever its allowlist says.

import { createControlClient } from "../edge/control-socket/client.ts";
import { controlSocketOf } from "../edge/control-socket/path.ts";
import { type Command, jsonOption } from "./command.ts";
import { printable, renderJson } from "./terminal/print.ts";

export const quarantineCommand: Command = {
  operands: "CONTAINER",
  leastOperands: 1,
  mostOperands: 1,
  summary: "Cut a container off from everything, open connections included.",
  details:
    "CONTAINER is a name, an id or the beginning of one, a Compose service, or PROJECT/SERVICE. It stays cut off, even across restarts of the daemon, until you release or remove it.",
  options: { json: jsonOption },
  run: async ({ options, operands, environment, output }) => {
    const [container = ""] = operands;
    const report = await createControlClient({ path: controlSocketOf(environment) }).quarantine({
      container,
    });
    const text = `Container ${printable(report.container)} is cut off\n`;
    output.write("json" in options ? renderJson(report) : text);
    return 0;
  },
};
