// What is to be said of a network whose bridge is not as it should be, one sentence each.

import type { Network } from "../model/topology.ts";
import type { FoundOnBridge } from "./bridge-ports.ts";
import type { ContainerFindings } from "./containers.ts";

export function wayOutProblems({ name, bridge = "" }: Network, isLateWayOut: boolean): string[] {
  if (!isLateWayOut) return [];
  return [
    `network ${JSON.stringify(name)}: the host has got a default route over its bridge ${bridge}, by which the host reaches nothing; a container may have offered it (DHCP), so the network stays guarded: remove that route, and keep the host's DHCP client off the engine's bridges`,
  ];
}

export function masterProblems({ name, bridge = "" }: Network, master: string | undefined): string[] {
  if (master === undefined) return [];
  return [
    `network ${JSON.stringify(name)}: its bridge ${bridge} is part of ${master} (a VRF or the like), where rules cannot tell what comes from it; its containers reach nothing: take the bridge out (ip link set ${bridge} nomaster)`,
  ];
}

/** The same of a network that is not guarded: guarded containers on it pass nothing there. */
export function besideProblems(
  { name, bridge = "" }: Network,
  { guardedAddresses }: ContainerFindings,
  foundOn: (bridge: string) => FoundOnBridge,
): string[] {
  const on = guardedAddresses.filter((address) => address.bridge === bridge);
  const { master } = foundOn(bridge);
  if (on.length === 0 || master === undefined) return [];
  const containers = [...new Set(on.map(({ container }) => container))].sort().join(", ");
  return [
    `network ${JSON.stringify(name)}: its bridge ${bridge} is part of ${master} (a VRF or the like), where rules cannot tell what comes from it; containers that are on a guarded network too (${containers}) reach nothing by it: take the bridge out (ip link set ${bridge} nomaster), or these containers off it`,
  ];
}

/** The engine keeps a network even if its bridge has been deleted: nothing passes there, and nothing is enforced. */
export function bridgeProblems({ name, bridge = "" }: Network, lost: ReadonlySet<string>): string[] {
  if (!lost.has(bridge)) return [];
  return [
    `network ${JSON.stringify(name)}: its bridge ${bridge} is gone from this host, and its containers reach nothing; remove the network and create it again`,
  ];
}
