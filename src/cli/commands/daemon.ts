// `dockerwall daemon`: reads the settings from flags and environment, then runs the daemon until it is stopped.

import { readConfig } from "../../edge/host/config/read.ts";
import { settings } from "../../edge/host/config/settings.ts";
import type { Command, Option } from "../command.ts";

export const command: Command = {
  operands: "",
  summary: "Guard the networks that carry the label dockerwall.allow.",
  details: "A flag overrides the environment. DURATION is 24h, 90m, 3600s or plain seconds.",
  options: Object.fromEntries(Object.values(settings).map((setting) => [setting.flag, optionOf(setting)])),
  run: async ({ options, environment }) => {
    const config = readConfig(environment, options);
    const { runDaemon } = await import("../../control/daemon.ts");
    await runDaemon(config);
    return 0;
  },
};

function optionOf(setting: (typeof settings)[keyof typeof settings]): Option {
  const fallback = setting.fallback === undefined ? "" : `, default ${setting.fallback}`;
  return { placeholder: setting.placeholder, help: `${setting.help} (${setting.env}${fallback})` };
}
