// The packet's way, in the order in which the kernel takes it: the sandbox's own routes, the container's port, translation
// of lookups, the host itself or its neighbours, and at last the allowlists of the network that it leaves by. It is the
// same way as src/core/firewall/ruleset describes for the kernel; tests send packets and compare.

import { familyOf, type IpAddress, linkLocal6, prefixContains } from "../model/address.ts";
import type { Container, Network } from "../model/topology.ts";
import type { ReadPacket } from "./reading.ts";
import { containerAt, isKeptOff, isOn, narrowestAt, type Surroundings } from "./surroundings.ts";
import type { PathEnd, PathStep } from "./verdict.ts";
import {
  isAudited,
  isCaptured,
  isHosts,
  isSentTo,
  judged,
  type Leaving,
  type Sender,
  type SentPacket,
} from "./walk/leaving.ts";
import { walkToAll, walkToNeighbour } from "./walk/neighbour.ts";
import { walkToPublisher } from "./walk/published.ts";
import { walkToHost } from "./walk/to-host.ts";

export function walk(
  surroundings: Surroundings,
  sender: Sender,
  sent: SentPacket,
  packet: ReadPacket,
): PathEnd {
  const { way, destination } = packet;
  if (sender.quarantined && way.kind !== "inside") return judged("dropped", "quarantine");
  switch (way.kind) {
    case "inside":
      return isEngineResolver(destination, sent) && sender.standing === "guarded"
        ? judged("captured", "lookup")
        : judged("passes", "inside");
    case "none":
      return judged("no-route", "no-way");
    case "unknown":
      return judged("unknown", "not-known");
    case "closed":
      return judged("dropped", "foreign-interface");
    case "device":
      if (sender.standing === "open") return judged("not-ours", "open-network");
      return leadsPastHost(way.device)
        ? judged("not-ours", "unfiltered-network")
        : judged("unknown", "tunnel");
    case "bridge": {
      const network = surroundings.networks.find(({ bridge }) => bridge === way.bridge);
      if (network === undefined || sender.standing === "unknown") return judged("unknown", "not-known");
      const leaving = { ...sent, packet, source: way.source, network, sender };
      if (isCutOff(surroundings, leaving)) return judged("dropped", "set-full");
      return sender.standing === "open"
        ? walkOpen(surroundings, leaving)
        : walkGuarded(surroundings, leaving);
    }
  }
}

/** By rules, which may not see what stays on the bridge. */
function isCutOff({ cutOff, bridgesFiltered }: Surroundings, { source, network, packet }: Leaving): boolean {
  const { destination } = packet;
  const isHeld = cutOff?.has(source) === true || cutOff?.has(destination) === true;
  return isHeld && (bridgesFiltered || !isOn(network, destination));
}

/** Docker's own, in the sandbox of each container. */
function isEngineResolver(address: IpAddress, { port }: SentPacket): boolean {
  return address === "127.0.0.11" && port === 53;
}

/** Interfaces that an engine gives a container beside ports of bridges. */
function leadsPastHost(device: string): boolean {
  return ["macvlan", "ipvlan", "vlan", ""].includes(device);
}

/** From a container on no guarded network: only what guarded and quarantined containers do not let in. */
function walkOpen(surroundings: Surroundings, leaving: Leaving): PathEnd {
  const { destination } = leaving.packet;
  if (isHosts(surroundings, destination)) return openUnlessHeld(walkToPublisher(surroundings, leaving));
  const far = networkAt(surroundings, leaving);
  const receiver = far && containerAt(surroundings, far.id, destination);
  if (receiver !== undefined && surroundings.quarantine.has(receiver.id))
    return judged("dropped", "neighbour-quarantined");
  if (far === undefined && leaving.network.internal) return judged("dropped", "internal");
  if (isKeptOff(surroundings, leaving.network, destination)) return judged("dropped", "other-network");
  if (far === undefined || far === leaving.network) return judged("not-ours", "open-network");
  return surroundings.guarded.get(far.id)?.audit === false && !isPublished(leaving, far, receiver)
    ? judged("dropped", "unpublished")
    : judged("not-ours", "open-network");
}

function openUnlessHeld(end: PathEnd | undefined): PathEnd {
  return end === undefined || end.verdict === "passes" ? judged("not-ours", "open-network") : end;
}

/** Where no port is translated, as its gateway is `routed`, a container is reached at its own. */
function isPublished(leaving: Leaving, far: Network, receiver?: Container): boolean {
  if (far.gatewayModes?.[familyOf(leaving.packet.destination)] === undefined) return false;
  return receiver?.publishes?.some((own) => isSentTo(leaving, own)) === true;
}

function walkGuarded(surroundings: Surroundings, leaving: Leaving): PathEnd {
  const { network, source, packet } = leaving;
  const { destination } = packet;
  if (prefixContains(linkLocal6, destination))
    return isHosts(surroundings, destination) ? judged("dropped", "host") : judged("unknown", "link-local");
  const toAll = packet.way.kind === "bridge" && packet.way.toAll === true;
  // The engine does not tell whose an address of the link is.
  const fromLink = toAll && prefixContains(linkLocal6, source);
  if (!fromLink && (!packet.ownsSource || !isFromHere(surroundings, leaving)))
    return judged("dropped", "foreign-source");
  if (toAll) return walkToAll(surroundings, leaving, fromLink);
  if (isKeptOff(surroundings, network, destination)) return judged("dropped", "other-network");
  if (isHosts(surroundings, destination)) return walkToHost(surroundings, leaving);
  if (isOn(network, destination) && !isCapturedHere(surroundings, leaving))
    return walkToNeighbour(surroundings, leaving);
  if (isCaptured(leaving)) return judged("captured", "lookup");
  return walkOutside(surroundings, leaving);
}

/**
 * On a guarded network a source must be of that network, and of no other guarded one's narrower range; on another, one
 * that the engine gave. Of a container that is on both kinds, the kernel knows each address by itself.
 */
function isFromHere({ guarded, networks, containers }: Surroundings, { network, source }: Leaving): boolean {
  const isGuarded = ({ id }: Pick<Network, "id">): boolean => guarded.has(id);
  if (!isGuarded(network)) return true;
  if (!isOn(network, source)) return false;
  if (narrowestAt(networks.filter(isGuarded), source).includes(network)) return true;
  const own = containerAt({ containers }, network.id, source)?.endpoints ?? [];
  const others = networks.filter((each) => each.bridge !== undefined && !isGuarded(each));
  return others.some(({ id }) => own.some(({ networkId }) => networkId === id));
}

/**
 * A resolver on a guarded network is a neighbour; on an open one it is any server, if its packets are seen at all and it
 * is no guarded container itself.
 */
function isCapturedHere(surroundings: Surroundings, leaving: Leaving): boolean {
  const { guarded, bridgesFiltered } = surroundings;
  if (!isCaptured(leaving) || !bridgesFiltered || guarded.has(leaving.network.id)) return false;
  const server = containerAt(surroundings, leaving.network.id, leaving.packet.destination);
  return server?.endpoints.some(({ networkId }) => guarded.has(networkId)) !== true;
}

function walkOutside(surroundings: Surroundings, leaving: Leaving): PathEnd {
  const { notForwarded } = surroundings;
  const { network, packet } = leaving;
  const { policy } = packet;
  // Docker keeps its networks apart, and lets nothing out of internal ones, whatever is allowed.
  const passes = (step: PathStep): PathEnd => {
    if (networkAt(surroundings, leaving) !== undefined) return judged("dropped", "other-network");
    if (network.internal) return judged("dropped", "internal");
    const isForwarded = notForwarded?.includes(familyOf(packet.destination)) !== true;
    return isForwarded ? judged("passes", step) : judged("dropped", "not-forwarded");
  };
  if (policy.reason === "entry") return passes("entry");
  if (isAudited(surroundings, leaving)) return passes("audit");
  // Where the list lets it pass once its name is looked up again, or it can be read, another one is nothing to turn to.
  const isOther =
    policy.elsewhere.length > 0 && policy.reason !== "no-lookup" && policy.reason !== "unreadable";
  const step = isOther ? "other-list" : policy.reason;
  return judged(isTold(surroundings, leaving) ? "refused" : "dropped", step);
}

/** The engine's network that a packet gets to: what is on the sender's own network stays there. */
function networkAt({ networks }: Surroundings, { network, packet }: Leaving): Network | undefined {
  if (isOn(network, packet.destination)) return network;
  const [first] = narrowestAt(
    networks.filter(({ bridge }) => bridge !== undefined),
    packet.destination,
  );
  return first;
}

function isTold({ guarded }: Surroundings, { network }: Leaving): boolean {
  return guarded.get(network.id)?.reject === true;
}
