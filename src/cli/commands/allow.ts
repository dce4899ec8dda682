// `dockerwall allow`: an override that adds to what a network or a container may reach.

import type { Command } from "../command.ts";
import { overrideCommand } from "../overrides.ts";

export const command: Command = overrideCommand("allow", {
  summary: "Let a guarded network, or one container on it, reach more, for good or for a while.",
  details: "The override replaces a `deny` of the same entry; a `!` in a label still wins.",
});
