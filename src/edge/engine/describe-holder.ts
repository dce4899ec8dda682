// Which process holds something that we need, and how to stop it, as a part of a sentence.

import { shortId } from "../../core/model/topology.ts";
import type { SocketHolder } from "../kernel/proc/socket-holder.ts";
import { containerOf } from "./own-container.ts";

/** `process 42 (nginx), in no container; stop it first`. */
export function describeHolder(holder: SocketHolder | undefined): string {
  if (holder === undefined)
    return "a process that we cannot look into from here; find it with `docker ps`, and stop it first";
  const process = `process ${holder.pid} (${holder.program})`;
  const id = containerOf(holder.pid);
  if (id === undefined) return `${process}, in no container; stop it first`;
  return `${process} in container ${shortId(id)}; stop it first (docker stop ${shortId(id)})`;
}
