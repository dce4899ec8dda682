// Whose network a container uses: its own, another container's, or the host's.

import type { Container } from "../../model/topology.ts";

/** Whether a container is on the host's own network, which nothing of ours guards. */
export function isOnHostNetwork({
  networkMode,
  hazards,
}: Pick<Container, "networkMode" | "hazards">): boolean {
  return networkMode === "host" || hazards.includes("host-network");
}

/** The container whose network it uses (`network_mode: container:NAME`, in any number of steps): usually itself. */
export function networkHolder(container: Container, containers: readonly Container[]): Container {
  const met = new Set<Container>();
  let holder = container;
  while (!met.has(holder)) {
    met.add(holder);
    const other = /^container:(.+)$/.exec(holder.networkMode)?.[1];
    // Nearly always. Searching all containers for each of them would be slow with thousands.
    if (other === undefined) return holder;
    holder = containers.find(({ id, name }) => other === id || other === name) ?? holder;
  }
  return holder;
}
