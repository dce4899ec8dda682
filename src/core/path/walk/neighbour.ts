// The way that stays on a network, from one of its containers to another.

import { familyOf } from "../../model/address.ts";
import type { Container } from "../../model/topology.ts";
import { containerAt, isOn, type Surroundings } from "../surroundings.ts";
import type { PathEnd } from "../verdict.ts";
import { isCaptured, isSentTo, judged, type Leaving } from "./leaving.ts";

/** At layer 2, where nothing of a network is judged by its list. */
export function walkToNeighbour(surroundings: Surroundings, leaving: Leaving): PathEnd {
  const { network, packet } = leaving;
  const neighbour = containerAt(surroundings, network.id, packet.destination);
  if (neighbour === undefined) return judged("no-route", "no-neighbour");
  if (surroundings.quarantine.has(neighbour.id)) return judged("dropped", "neighbour-quarantined");
  // Docker's rule is one of iptables: where that does not see what stays on a bridge, it holds nothing.
  if (network.keepsApart !== true || !surroundings.bridgesFiltered) return judged("passes", "neighbour");
  return isLinked(surroundings, leaving, neighbour)
    ? judged("passes", "linked")
    : judged("dropped", "kept-apart");
}

/**
 * To all on a network at once: neighbours get it, and nothing routes it. Who is in quarantine does not get it.
 * @param fromLink from a link-local address
 */
export function walkToAll(surroundings: Surroundings, leaving: Leaving, fromLink: boolean): PathEnd {
  const { guarded, bridgesFiltered } = surroundings;
  const { network, packet } = leaving;
  if (!bridgesFiltered) return judged("passes", "neighbours");
  const isNear = fromLink || (guarded.has(network.id) && isOn(network, packet.destination));
  if (isCaptured(leaving) && !isNear) return judged("captured", "lookup");
  return network.keepsApart === true ? judged("dropped", "kept-apart") : judged("passes", "neighbours");
}

/** Docker's own, where links open ports. Nobody can give the name to another network. */
const linkingNetwork = "bridge";

/** Docker opens what a container exposes for those that link it, by IPv4 only. */
function isLinked(surroundings: Surroundings, leaving: Leaving, neighbour: Container): boolean {
  const { network, source } = leaving;
  if (network.name !== linkingNetwork || familyOf(source) !== 4) return false;
  const { linked = [] } = containerAt(surroundings, network.id, source) ?? {};
  const { exposes = [], publishes = [] } = neighbour;
  const isExposed = [...exposes, ...publishes].some((own) => isSentTo(leaving, own));
  return isExposed && linked.includes(neighbour.name);
}
