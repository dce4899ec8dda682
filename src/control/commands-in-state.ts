// Whether a command may run is decided here for all of them, by the table of src/core/api/control-api.ts: what a command
// does is never asked, and one that is not in the table does not compile.

import { type AnyRoute, type CommandStates, type ControlApi, routes } from "../core/api/control-api.ts";
import type { Lifecycle } from "./lifecycle.ts";

type Command = (request: unknown) => Promise<unknown>;

/**
 * These commands, each refused in a state in which it may not begin. If the state changes meanwhile to one in which what
 * it says does not count any more, this is what is thrown, whatever it met.
 */
export function inTheirStates(commands: ControlApi, lifecycle: Pick<Lifecycle, "assertAmong">): ControlApi {
  const checked = Object.entries<AnyRoute>(routes).map(([name, { states }]) => {
    const command = commands[name as keyof ControlApi] as Command;
    return [name, (request: unknown) => runIn(states, () => command(request), lifecycle)];
  });
  return Object.fromEntries(checked) as ControlApi;
}

async function runIn<T>(
  { begins, ends }: CommandStates,
  work: () => Promise<T>,
  lifecycle: Pick<Lifecycle, "assertAmong">,
): Promise<T> {
  lifecycle.assertAmong(begins);
  try {
    return await work();
  } finally {
    lifecycle.assertAmong(ends);
  }
}
