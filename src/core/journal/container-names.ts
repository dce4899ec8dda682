// Which container is, or was last, at an address of a network. The last name is kept when a container is gone, because
// people want to read about short-lived containers afterwards.

import type { Topology } from "../model/topology.ts";

export interface ContainerName {
  readonly id: string;
  readonly name: string;
}

export interface ContainerNames {
  learn(topology: Topology): void;
  at(key: string): ContainerName | undefined;
}

/** Addresses remembered, of containers that are gone and of those that are not. */
const maxNames = 16_384;

/** One string for an address of a network. */
export function endpointKey(networkId: string, address: string): string {
  return `${networkId} ${address}`;
}

export function createContainerNames(): ContainerNames {
  /** Least recently present first. */
  const names = new Map<string, ContainerName>();
  return {
    learn(topology) {
      for (const { id, name, endpoints } of topology.containers) {
        for (const { networkId, addresses } of endpoints) {
          for (const address of addresses) {
            const key = endpointKey(networkId, address);
            names.delete(key);
            names.set(key, { id, name });
          }
        }
      }
      for (const key of names.keys()) {
        if (names.size <= maxNames) break;
        names.delete(key);
      }
    },
    at: (key) => names.get(key),
  };
}
