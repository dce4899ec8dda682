// How commands ask the daemon. Of its API they know the types alone: to load it would be to load the daemon.

import type { ControlApi } from "../control/api/control-api.ts";
import { createControlClient } from "../edge/control-socket/client.ts";
import { controlSocketOf } from "../edge/control-socket/path.ts";
import type { Invocation } from "./command.ts";

/** What a method answers. */
export type MethodAnswer<Name extends keyof ControlApi> = Awaited<ReturnType<ControlApi[Name]>>;

/** What the daemon has at hand. For all else it waits for the engine, the kernel or a resolver. */
const atHand: ReadonlySet<keyof ControlApi> = new Set(["stats", "status"]);
const atHandMs = 5_000;
const elsewhereMs = 60_000;

/** Asks by the name of a method, with its request if it takes one. @throws DockerwallError */
export function ask<Name extends keyof ControlApi>(
  environment: Invocation["environment"],
  name: Name,
  ...request: Parameters<ControlApi[Name]>
): ReturnType<ControlApi[Name]> {
  const daemon = createControlClient<ControlApi>({
    path: controlSocketOf(environment),
    withinMs: atHand.has(name) ? atHandMs : elsewhereMs,
  });
  return daemon(name, ...request);
}
