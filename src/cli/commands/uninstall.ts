// `dockerwall uninstall`: the daemon does it, if one runs, since it would restore whatever it finds missing; otherwise
// this process does.

import { daemonIsAbsent } from "../../edge/control-socket/client.ts";
import { ask } from "../ask.ts";
import { type Command, type Invocation, jsonOption } from "../command.ts";
import { renderJson } from "../terminal/print.ts";

/** What no container can take away. */
const onHost =
  "If you enabled units of Dockerwall, disable them on the host: `systemctl disable --now dockerwall-boot-guard.service`, or it holds bridges from the next start of the engine or the host on; and `systemctl disable --now dockerwall-sets.service`, or it makes empty sets at the next boot. If you saved the host's rules meanwhile, save them again.\n";

export const command: Command = {
  operands: "",
  summary: "Remove every rule, set and capture of Dockerwall from this host.",
  details:
    "Guarded networks are open afterwards. A running daemon does the work, then keeps running without guarding anything.",
  options: { json: jsonOption },
  run: async ({ options, environment, output }) => {
    const by = await uninstall(environment);
    output.write(
      "json" in options
        ? renderJson({ uninstalled: true, by })
        : `Dockerwall is uninstalled: its rules, sets and captures are gone, and guarded networks are open.\n${onHost}`,
    );
    return 0;
  },
};

async function uninstall(environment: Invocation["environment"]): Promise<"daemon" | "here"> {
  try {
    await ask(environment, "uninstall");
    return "daemon";
  } catch (error) {
    if (!daemonIsAbsent(error)) throw error;
  }
  const { uninstallHere } = await import("../../control/uninstall-without-daemon.ts");
  const { readSandboxFolder } = await import("../../edge/host/config/read.ts");
  await uninstallHere(readSandboxFolder(environment));
  return "here";
}
