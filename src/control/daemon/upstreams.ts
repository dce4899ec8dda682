// The daemon's own resolvers, of networks that name none: those that were chosen, or the host's as they are now.

import type { Upstream } from "../../core/model/upstream.ts";
import { openEngineRoot } from "../../edge/engine/dockerd.ts";
import type { Log } from "../../edge/host/log.ts";
import { openHostResolvers } from "../../edge/host/resolvers.ts";

export interface Upstreams {
  current(): readonly Upstream[];
  /** Looks whether the host has others now. @returns them; undefined while nothing is to change */
  look(): readonly Upstream[] | undefined;
}

/** @throws DockerwallError BAD_CONFIG when none was chosen and the host has none that can be asked */
export function openUpstreams(chosen: readonly Upstream[] | undefined, log: Log): Upstreams {
  const host = openHostResolvers(openEngineRoot(), (problem) => log.warn("host resolvers", { problem }));
  let current = chosen ?? host.read();
  return {
    current: () => current,
    look() {
      const changed = chosen === undefined ? host.reread() : undefined;
      current = changed ?? current;
      return changed;
    },
  };
}
