// What a container's own /etc/resolv.conf says now, be it the engine's text or the container's.

import type { Container } from "../../../core/model/topology.ts";
import { containerOf } from "../own-container.ts";
import { readInsideRoot } from "./inside-root.ts";

/** Its text; undefined where it cannot be read. @param holder the container whose network, and perhaps file, it uses */
export function readResolvConf({ id, pid }: Container, holder: Container): string | undefined {
  const owner = pid === undefined ? undefined : containerOf(pid);
  // By now the pid may be another's.
  if (owner !== id && owner !== holder.id) return undefined;
  return readInsideRoot(`/proc/${pid}/root`, "/etc/resolv.conf");
}
