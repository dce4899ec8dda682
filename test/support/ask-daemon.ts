// Asks a daemon by its control socket, without the start of a process for each question.

import type { ControlApi } from "../../src/control/api/control-api.ts";
import { type Ask, createControlClient } from "../../src/edge/control-socket/client.ts";

export type AskDaemon = Ask<ControlApi>;

export function askAt(path: string, withinMs = 60_000): AskDaemon {
  return createControlClient<ControlApi>({ path, withinMs });
}
