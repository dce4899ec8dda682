// Containers as people name them.

import type { Container, Topology } from "../../core/model/topology.ts";
import { DockerwallError } from "../../errors.ts";

/** By name, id, or the beginning of an id of at least 4 digits that fits one only. @throws DockerwallError NOT_FOUND */
export function findContainer(topology: Topology, name: string): Container {
  const exact = topology.containers.find((container) => container.name === name || container.id === name);
  if (exact !== undefined) return exact;
  const byPrefix = name.length < 4 ? [] : topology.containers.filter(({ id }) => id.startsWith(name));
  const [only] = byPrefix;
  if (only !== undefined && byPrefix.length === 1) return only;
  throw new DockerwallError(
    "NOT_FOUND",
    `there is no container ${JSON.stringify(name)}; see docker ps for names and ids`,
  );
}
