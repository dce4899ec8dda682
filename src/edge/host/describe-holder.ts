// Who has what we want to have, and how to be rid of it, as a part of a sentence.

import { containerOf } from "../engine/own-container.ts";
import type { SocketHolder } from "../listener/socket-holder.ts";

/** `process 42 (nginx), in no container; stop it first`. */
export function describeHolder(holder: SocketHolder | undefined): string {
  if (holder === undefined)
    return "a process that cannot be looked into from here; see `docker ps`, and stop it first";
  const container = containerOf(holder.pid)?.slice(0, 12);
  return container === undefined
    ? `process ${holder.pid} (${holder.program}), in no container; stop it first`
    : `process ${holder.pid} (${holder.program}) in container ${container}; stop it first (docker stop ${container})`;
}
