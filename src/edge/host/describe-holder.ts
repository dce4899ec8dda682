// Which process holds something that we need, and how to stop it, as a part of a sentence.

import { containerOf } from "../engine/own-container.ts";
import type { SocketHolder } from "../listener/socket-holder.ts";

/** `process 42 (nginx), in no container; stop it first`. */
export function describeHolder(holder: SocketHolder | undefined): string {
  if (holder === undefined)
    return "a process that we cannot look into from here; find it with `docker ps`, and stop it first";
  const container = containerOf(holder.pid)?.slice(0, 12);
  return container === undefined
    ? `process ${holder.pid} (${holder.program}), in no container; stop it first`
    : `process ${holder.pid} (${holder.program}) in container ${container}; stop it first (docker stop ${container})`;
}
