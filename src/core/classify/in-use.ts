// Whether any container is on a guarded network. While none is, a daemon that stops need not keep the host's new
// networks waiting for the next one.

import type { Container, Topology } from "../model/topology.ts";

/**
 * True when a container that runs, or is about to, is on a guarded network, by itself or on the network of another.
 * @param guarded ids and names of the guarded networks: what a container is configured for may be either
 * @param own id of the daemon's own container, which counts for nobody
 */
export function isGuardedInUse(
  { containers }: Topology,
  guarded: ReadonlySet<string>,
  own: string | undefined,
): boolean {
  const isOn = ({ endpoints, configured }: Container): boolean =>
    endpoints.some(({ networkId }) => guarded.has(networkId)) || configured.some((id) => guarded.has(id));
  return containers.some((container) => container.running && container.id !== own && isOn(container));
}
