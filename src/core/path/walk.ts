// The packet's way, in the order in which the kernel takes it: the sandbox's own routes, the container's port, translation
// of lookups, the host itself or its neighbours, and at last the allowlists of the network that it leaves by. It is the
// same way as src/core/firewall/ruleset describes for the kernel; tests send packets and compare.

import { familyOf, type IpAddress, prefixContains } from "../model/address.ts";
import { isLookup } from "../model/service.ts";
import type { Container, Network } from "../model/topology.ts";
import type { PathReading, ReadPacket } from "./reading.ts";
import { containerAt, isOn, type Surroundings } from "./surroundings.ts";
import type { PathEnd, PathStep, PathVerdict } from "./verdict.ts";

/** Who sends. */
export interface Sender extends Pick<PathReading, "standing" | "homes"> {
  readonly quarantined: boolean;
}

/** What is sent, beside to whom. */
export interface SentPacket {
  readonly ipProtocol: number;
  /** Undefined: any port will do. */
  readonly port: number | undefined;
}

/** A packet that has left its sandbox. */
interface Leaving extends SentPacket {
  readonly packet: ReadPacket;
  readonly source: IpAddress;
  readonly network: Network;
  readonly sender: Sender;
}

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
    case "device":
      if (sender.standing === "open") return judged("not-ours", "open-network");
      return leadsPastHost(way.device)
        ? judged("not-ours", "unfiltered-network")
        : judged("unknown", "tunnel");
    case "bridge": {
      const network = surroundings.networks.find(({ bridge }) => bridge === way.bridge);
      if (network === undefined || sender.standing === "unknown") return judged("unknown", "not-known");
      const leaving = { ...sent, packet, source: way.source, network, sender };
      return sender.standing === "open"
        ? walkOpen(surroundings, leaving)
        : walkGuarded(surroundings, leaving);
    }
  }
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
  if (isHosts(surroundings, destination)) return judged("not-ours", "open-network");
  const far = networkAt(surroundings, leaving);
  const receiver = far && containerAt(surroundings, far.id, destination);
  if (receiver !== undefined && surroundings.quarantine.has(receiver.id))
    return judged("dropped", "neighbour-quarantined");
  if (far === undefined && leaving.network.internal) return judged("dropped", "internal");
  if (far === undefined || far === leaving.network) return judged("not-ours", "open-network");
  return surroundings.guarded.get(far.id)?.audit === false && !isPublished(leaving, far, receiver)
    ? judged("dropped", "unpublished")
    : judged("not-ours", "open-network");
}

/** Where no port is translated, as its gateway is `routed`, a container is reached at its own. */
function isPublished({ packet, ipProtocol, port }: Leaving, far: Network, receiver?: Container): boolean {
  if (far.gatewayModes?.[familyOf(packet.destination)] === undefined) return false;
  return receiver?.publishes?.some((own) => own.protocol === ipProtocol && own.port === port) === true;
}

function walkGuarded(surroundings: Surroundings, leaving: Leaving): PathEnd {
  const { network, source, packet } = leaving;
  const { destination } = packet;
  if (prefixContains(linkLocal, destination))
    return isHosts(surroundings, destination) ? judged("dropped", "host") : judged("unknown", "link-local");
  // On a guarded network it must be of that network; on another, one that the engine gave.
  const isFromHere = !surroundings.guarded.has(network.id) || isOn(network, source);
  if (!packet.ownsSource || !isFromHere) return judged("dropped", "foreign-source");
  if (isHosts(surroundings, destination)) return walkToHost(surroundings, leaving);
  if (isOn(network, destination) && !isCapturedHere(surroundings, leaving))
    return walkToNeighbour(surroundings, leaving);
  if (isCaptured(leaving)) return judged("captured", "lookup");
  return walkOutside(surroundings, leaving);
}

const linkLocal = { address: "fe80::" as IpAddress, length: 10 };

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

/** Redirected before anything else is looked at, unless an entry names the server with port 53. */
function isCaptured({ ipProtocol, port, packet }: Leaving): boolean {
  return isLookup(ipProtocol, port) && packet.policy.reason !== "entry";
}

function isHosts({ hostAddresses }: Surroundings, address: IpAddress): boolean {
  return hostAddresses.includes(address);
}

function walkToHost(surroundings: Surroundings, leaving: Leaving): PathEnd {
  if (isCaptured(leaving)) return judged("captured", "lookup");
  const { source, ipProtocol, port } = leaving;
  const matching = surroundings.hostEntries.filter(
    ({ prefix, service }) =>
      (port === undefined || (service.port === port && service.protocol === ipProtocol)) &&
      prefixContains(prefix, source),
  );
  const isOpen = matching.some(
    (member) => member.exception !== true && !hasException(matching, member.service),
  );
  if (isOpen) return judged("passes", "host-entry");
  // What is denied on its way to the host is answered by nobody.
  return isAudited(surroundings, leaving) ? judged("passes", "audit") : judged("dropped", "host");
}

function hasException(
  members: Surroundings["hostEntries"],
  { protocol, port }: Surroundings["hostEntries"][number]["service"],
): boolean {
  return members.some(
    ({ service, exception }) => exception === true && service.protocol === protocol && service.port === port,
  );
}

/** At layer 2, where nothing of a network is judged by its list. */
function walkToNeighbour(surroundings: Surroundings, leaving: Leaving): PathEnd {
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

/** Docker's own, where links open ports. Nobody can give the name to another network. */
const linkingNetwork = "bridge";

/** Docker opens what a container exposes for those that link it, by IPv4 only. */
function isLinked(surroundings: Surroundings, leaving: Leaving, neighbour: Container): boolean {
  const { network, source, ipProtocol, port } = leaving;
  if (network.name !== linkingNetwork || familyOf(source) !== 4) return false;
  const { linked = [] } = containerAt(surroundings, network.id, source) ?? {};
  const { exposes = [], publishes = [] } = neighbour;
  const isExposed = [...exposes, ...publishes].some(
    (own) => port === undefined || (own.protocol === ipProtocol && own.port === port),
  );
  return isExposed && linked.includes(neighbour.name);
}

function walkOutside(surroundings: Surroundings, leaving: Leaving): PathEnd {
  const { network, packet } = leaving;
  const { policy } = packet;
  // Docker keeps its networks apart, and lets nothing out of internal ones, whatever is allowed.
  const passes = (step: PathStep): PathEnd => {
    if (networkAt(surroundings, leaving) !== undefined) return judged("dropped", "other-network");
    return network.internal ? judged("dropped", "internal") : judged("passes", step);
  };
  if (policy.reason === "entry") return passes("entry");
  if (isAudited(surroundings, leaving)) return passes("audit");
  // Where the list lets it pass once its name is looked up again, another one is nothing to turn to.
  const isOther = policy.elsewhere.length > 0 && policy.reason !== "no-lookup";
  const step = isOther ? "other-list" : policy.reason;
  return judged(isTold(surroundings, leaving) ? "refused" : "dropped", step);
}

/** The engine's network that the destination is on. */
function networkAt({ networks }: Surroundings, { packet }: Leaving): Network | undefined {
  return networks.find((each) => each.bridge !== undefined && isOn(each, packet.destination));
}

/** Whether audit mode lets it pass: on an open network, where all of the container's own networks are in it. */
function isAudited({ guarded }: Surroundings, { network, sender }: Leaving): boolean {
  const home = guarded.get(network.id);
  return home === undefined ? sender.homes.every((id) => guarded.get(id)?.audit) : home.audit;
}

function isTold({ guarded }: Surroundings, { network }: Leaving): boolean {
  return guarded.get(network.id)?.reject === true;
}

function judged(verdict: PathVerdict, step: PathStep): PathEnd {
  return { verdict, step };
}
