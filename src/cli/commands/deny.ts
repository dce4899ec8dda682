// `dockerwall deny`: an override that takes something away from a network or a container.

import type { Command } from "../command.ts";
import { overrideCommand } from "../overrides.ts";

export const command: Command = overrideCommand("deny", {
  summary:
    "Take something away from a guarded network, or from one container on it, and cut open connections to it.",
  details:
    "The override wins over every label. It keeps nothing apart on one network: to cut a container off from its neighbours too, there is quarantine.",
});
