// `dockerwall uninstall`: by the daemon when there is one, since it would put back what it finds missing;
// by ourselves when there is none.

import { createControlClient, daemonIsAbsent } from "../edge/control-socket/client.ts";
import { controlSocketOf } from "../edge/control-socket/path.ts";
import { type Command, jsonOption } from "./command.ts";
import { renderJson } from "./terminal/print.ts";

export const uninstallCommand: Command = {
  operands: "",
  leastOperands: 0,
  mostOperands: 0,
  summary: "Remove every rule, set and capture of Dockerwall from this host.",
  details:
    "Networks that were guarded are open afterwards. The daemon, when one runs, does it and stands by.",
  options: { json: jsonOption },
  run: async ({ options, environment, output }) => {
    const by = await uninstall(controlSocketOf(environment));
    output.write(
      "json" in options
        ? renderJson({ uninstalled: true, by })
        : "Dockerwall is uninstalled: its rules, sets and captures are gone, and guarded networks are open.\n",
    );
    return 0;
  },
};

async function uninstall(path: string): Promise<"daemon" | "here"> {
  try {
    await createControlClient({ path }).uninstall();
    return "daemon";
  } catch (error) {
    if (!daemonIsAbsent(error)) throw error;
  }
  const { uninstallHere } = await import("../control/uninstall-without-daemon.ts");
  await uninstallHere();
  return "here";
}
