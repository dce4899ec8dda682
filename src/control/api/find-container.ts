// Finds containers by the names that people use.

import type { Container, Topology } from "../../core/model/topology.ts";
import { DockerwallError } from "../../errors.ts";

/** By name, id, or at least the first 4 digits of an id, if only one fits. @throws DockerwallError NOT_FOUND */
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
