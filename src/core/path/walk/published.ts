// Ports of the host behind which a container is: what is sent there ends at the container, by Docker's translation or by
// its proxy.

import { answersAt, type IpAddress } from "../../model/address.ts";
import type { Container, HostPorts, Network } from "../../model/topology.ts";
import { containerAt, type Surroundings } from "../surroundings.ts";
import type { PathEnd } from "../verdict.ts";
import { judged, type Leaving, type SentPacket } from "./leaving.ts";

/** What is sent to an address of the host. */
export interface SentToHost extends Pick<SentPacket, "ipProtocol" | "port"> {
  readonly destination: IpAddress;
}

/** The running container that such a packet ends at; undefined where the port is the host's own. */
function publisherOf({ containers }: Surroundings, sent: SentToHost): Container | undefined {
  return containers.find(
    ({ running, hostPorts = [] }) => running && hostPorts.some((ports) => leadsTo(ports, sent)),
  );
}

/** The running container at the end of such a packet: it has the address itself, or is behind that port of the host. */
export function receiverOf(surroundings: Surroundings, sent: SentToHost): Container | undefined {
  for (const { id, bridge } of surroundings.networks) {
    const found = bridge === undefined ? undefined : containerAt(surroundings, id, sent.destination);
    if (found !== undefined) return found;
  }
  return publisherOf(surroundings, sent);
}

/**
 * Where a container's packet to a port of the host ends if the host does not take it; undefined where it does. Docker's
 * proxy takes what its networks send there. From an internal one it is translated, and then Docker lets it not out. Where
 * there is no proxy, it is translated from each.
 */
export function walkToPublisher(
  surroundings: Surroundings,
  { network, packet, ipProtocol, port }: Leaving,
): PathEnd | undefined {
  const publisher = publisherOf(surroundings, { destination: packet.destination, ipProtocol, port });
  if (publisher === undefined) return undefined;
  if (network.internal) return judged("dropped", "internal");
  if (surroundings.quarantine.has(publisher.id)) return judged("dropped", "neighbour-quarantined");
  return surroundings.portProxies === false ? walkTranslated(network, publisher) : undefined;
}

/** From there on it is a packet to the container: it leaves by the network that it came from, or Docker drops it. */
function walkTranslated({ id, keepsApart }: Network, { endpoints }: Container): PathEnd {
  if (!endpoints.some(({ networkId }) => networkId === id)) return judged("dropped", "other-network");
  // The engine does not tell at which of its addresses a container publishes.
  if (endpoints.length > 1) return judged("unknown", "not-known");
  return keepsApart === true ? judged("dropped", "kept-apart") : judged("passes", "neighbour");
}

function leadsTo(
  { protocol, address, from, to }: HostPorts,
  { destination, ipProtocol, port }: SentToHost,
): boolean {
  if (port === undefined || port < from || port > to || protocol !== ipProtocol) return false;
  return answersAt(address, destination);
}
