// A daemon in another network namespace than the bridges guards nothing: its start is refused.

import { isOnHostNetwork, networkHolder } from "../core/classify/containers/holder.ts";
import type { Topology } from "../core/model/topology.ts";
import { DockerwallError } from "../errors.ts";

/** Where a daemon is. */
export interface OwnPlace {
  /** Names of all bridge interfaces that it sees. */
  readonly bridges: readonly string[];
  /** Id of its container; undefined outside of one. */
  readonly ownContainer: string | undefined;
}

/**
 * Bridges may also be missing because another program has deleted them, as the only one of a fresh engine: that is told by
 * network, and is no reason to refuse.
 * @throws DockerwallError BAD_CONFIG where it is known that the daemon's container is not on the host's network
 */
export function assertHostNetwork(
  { networks, containers }: Topology,
  { bridges, ownContainer }: OwnPlace,
): void {
  const wanted = networks.flatMap(({ bridge }) => bridge ?? []);
  if (wanted.length === 0 || wanted.some((bridge) => bridges.includes(bridge))) return;
  const own = containers.find(({ id }) => id === ownContainer);
  if (own === undefined || isOnHostNetwork(networkHolder(own, containers))) return;
  throw new DockerwallError(
    "BAD_CONFIG",
    `the daemon's container ${JSON.stringify(own.name)} is not on the host's network: none of the engine's bridges (${wanted.slice(0, 3).join(", ")}) is there, so its rules would guard nothing; run it with \`network_mode: host\``,
  );
}
