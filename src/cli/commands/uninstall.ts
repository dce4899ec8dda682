// `dockerwall uninstall`: the daemon does it, if one runs, since it would restore whatever it finds missing; otherwise
// this process does.

import { createControlClient, daemonIsAbsent } from "../../edge/control-socket/client.ts";
import { controlSocketOf } from "../../edge/control-socket/path.ts";
import { type Command, jsonOption } from "../command.ts";
import { renderJson } from "../terminal/print.ts";

/** What no container can take away. */
const onHost =
  "If you enabled the boot guard, disable it on the host (systemctl disable --now dockerwall-boot-guard.service), or it holds bridges at the next boot. If you saved the host's rules meanwhile, save them again.\n";

export const command: Command = {
  operands: "",
  summary: "Remove every rule, set and capture of Dockerwall from this host.",
  details:
    "Guarded networks are open afterwards. A running daemon does the work, then keeps running without guarding anything.",
  options: { json: jsonOption },
  run: async ({ options, environment, output }) => {
    const by = await uninstall(controlSocketOf(environment));
    output.write(
      "json" in options
        ? renderJson({ uninstalled: true, by })
        : `Dockerwall is uninstalled: its rules, sets and captures are gone, and guarded networks are open.\n${onHost}`,
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
  const { uninstallHere } = await import("../../control/uninstall-without-daemon.ts");
  await uninstallHere();
  return "here";
}
