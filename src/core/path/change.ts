// The one change that would let a packet pass, found from the step that holds it.

import { familyOf, hostPrefix, type IpAddress } from "../model/address.ts";
import { isHostName } from "../model/host-names.ts";
import { protocolNumbers, type Service } from "../model/service.ts";
import type { Network } from "../model/topology.ts";
import { type DomainEntry, type Entry, renderEntry } from "../policy/entry.ts";
import type { UnreadList } from "../policy/entry-list/unread.ts";
import { overrideAt, renderRemoval } from "../policy/override/place.ts";
import type { ExplainTarget } from "../policy/target.ts";
import type { FoundEntry, PolicyFinding } from "./policy.ts";
import { lackingFamily, type PathReading, type ReadPacket } from "./reading.ts";
import { containerAt, type Surroundings } from "./surroundings.ts";
import type { Change, PathEnd } from "./verdict.ts";
import { receiverOf } from "./walk/published.ts";

/** What was asked, and what is known about it. */
export interface PathQuestion {
  readonly target: ExplainTarget;
  readonly container: string;
  readonly quarantined: boolean;
  readonly reading: PathReading;
  /** Whether the container's lookups are answered by a server of which nothing is known. */
  readonly isAnsweredElsewhere?: boolean;
}

/** What was found of the packet that decides. */
export interface DecidingPacket extends PathEnd {
  readonly network: string | undefined;
  readonly packet: ReadPacket | undefined;
  readonly finding: PolicyFinding | undefined;
}

/** @returns undefined where nothing holds it, or nothing of ours */
export function changeFor(
  surroundings: Surroundings,
  question: PathQuestion,
  decided: DecidingPacket,
): Change | undefined {
  const { unread } = decided.finding ?? {};
  return unread !== undefined && mayTurn(unread, question.target, decided)
    ? correctionOf(unread)
    : changeAt(surroundings, question, decided);
}

function changeAt(
  surroundings: Surroundings,
  question: PathQuestion,
  decided: DecidingPacket,
): Change | undefined {
  const { target, container } = question;
  const network = labelled(surroundings, question, decided);
  switch (decided.step) {
    case "quarantine":
      return { kind: "release", container };
    case "neighbour-quarantined":
      return releaseOfReceiver(surroundings, target, decided.packet);
    case "set-full":
      return { kind: "fewer-networks", container };
    case "not-known":
    case "no-answer":
      return { kind: "ask-again" };
    case "internal":
    case "no-way": {
      const address = decided.packet?.destination;
      return { kind: "way-out", family: address !== undefined && familyOf(address) === 6 ? "IPv6" : "IPv4" };
    }
    case "no-family": {
      const family = lackingFamily(question.reading);
      return family && { kind: "way-out", family };
    }
    case "host":
      return target.port === undefined ? undefined : entryFor(network, hostEntry(target));
    case "no-entry":
    case "port":
      return isOfHost(target) ? hostNameFor(network, target) : entryFor(network, entryOf(target));
    case "no-such-name":
      return isOfHost(target) ? hostNameFor(network, target) : undefined;
    case "no-address":
      return leadFor(surroundings, question, network);
    case "taken-away":
      return withoutEntry(decided.finding?.by);
    case "no-lookup": {
      const [name = ""] = decided.finding?.names ?? [];
      return { kind: "lookup", name };
    }
    case "other-list": {
      const better = surroundings.networks.find(({ id }) => decided.finding?.elsewhere[0] === id)?.name;
      if (better === undefined || network === undefined) return undefined;
      const route = { kind: "route", network: better, instead: network } as const;
      return { ...route, entry: renderEntry(entryOf(target)), problem: decided.finding?.unread?.problem };
    }
    case "kept-apart":
      return decided.network === undefined
        ? undefined
        : { kind: "connect-containers", network: decided.network };
    case "other-network":
    case "unpublished": {
      const far = networkAt(surroundings, decided.packet?.destination);
      return far && { kind: "common-network", network: far.name };
    }
    default:
      return undefined;
  }
}

/** Whether it is a list that cannot be read which has to be corrected before anything else is written. */
function mayTurn(
  { source }: UnreadList,
  target: ExplainTarget,
  { step, finding }: Pick<DecidingPacket, "step" | "finding">,
): boolean {
  switch (step) {
    case "unreadable":
    case "no-entry":
    case "port":
    case "host":
    case "no-address":
      return true;
    case "no-such-name":
      return isOfHost(target);
    case "taken-away":
      // What is kept of a list stands there no more, and cannot be taken out.
      return finding?.by?.source === source;
    default:
      return false;
  }
}

/** What to do about a list that cannot be read. */
export function correctionOf({ source, problem }: UnreadList): Change {
  const override = overrideAt(source);
  return override === undefined
    ? { kind: "correct", problem }
    : { kind: "undo", command: renderRemoval(override.entry, source) };
}

function releaseOfReceiver(
  surroundings: Surroundings,
  target: ExplainTarget,
  packet: ReadPacket | undefined,
): Change | undefined {
  const receiver = packet && receiverOf(surroundings, { ...target, destination: packet.destination });
  return receiver && { kind: "release", container: receiver.name };
}

function withoutEntry(by: FoundEntry | undefined): Change | undefined {
  if (by === undefined) return undefined;
  const { entry, source } = by;
  const override = overrideAt(source);
  return override === undefined
    ? { kind: "remove-entry", entry, source }
    : { kind: "undo", command: renderRemoval(entry, source) };
}

/** What would let the name lead where it leads. */
function leadFor(
  { hostAddresses }: Surroundings,
  { target, reading }: PathQuestion,
  network: string | undefined,
): Change | undefined {
  const [address] = reading.answers.flatMap(({ refused }) => refused);
  if (address === undefined) return undefined;
  if (hostAddresses.includes(address))
    return target.port === undefined ? undefined : entryFor(network, hostEntry(target));
  return entryFor(network, { ...domainEntry(target), within: hostPrefix(address) });
}

/** The network where a container has the address. */
function networkAt(surroundings: Surroundings, address: IpAddress | undefined): Network | undefined {
  if (address === undefined) return undefined;
  return surroundings.networks.find(
    ({ bridge, id }) => bridge !== undefined && containerAt(surroundings, id, address) !== undefined,
  );
}

/** The network whose label would have to change: where it leaves by an open one, the first of the container's own. */
function labelled(
  { networks, guarded }: Surroundings,
  { reading }: PathQuestion,
  { network }: DecidingPacket,
): string | undefined {
  const leaves = networks.find(({ name, id }) => name === network && guarded.has(id));
  return (leaves ?? networks.find(({ id }) => id === reading.homes[0]))?.name;
}

function entryFor(network: string | undefined, entry: Entry): Change | undefined {
  return network === undefined ? undefined : { kind: "entry", entry: renderEntry(entry), network };
}

function isOfHost({ name }: ExplainTarget): boolean {
  return name !== undefined && isHostName(name);
}

function hostNameFor(network: string | undefined, target: ExplainTarget): Change | undefined {
  if (network === undefined) return undefined;
  const entry = target.port === undefined ? "host:PORT/tcp" : renderEntry(hostEntry(target));
  return { kind: "host-name", name: target.name ?? "", entry, network };
}

/** The entry that would let it pass. */
export function entryOf(target: ExplainTarget): Entry {
  const service = serviceOf(target);
  if (target.address !== undefined) return prefixEntry(target.address, service);
  return domainEntry(target);
}

function domainEntry(target: ExplainTarget): DomainEntry {
  const service = serviceOf(target);
  return { kind: "domain", domain: target.name ?? "", scope: "exact", service, negated: false };
}

function prefixEntry(address: IpAddress, service: Service): Entry {
  return { kind: "prefix", prefix: hostPrefix(address), service, negated: false };
}

function hostEntry({ port = 0, ipProtocol }: ExplainTarget): Entry {
  const { protocol } = serviceOf({ port, ipProtocol });
  return {
    kind: "host",
    protocol: protocol === "tcp" || protocol === "udp" ? protocol : "any",
    from: port,
    to: port,
    negated: false,
  };
}

function serviceOf({ port, ipProtocol }: Pick<ExplainTarget, "port" | "ipProtocol">): Service {
  if (port === undefined) return { protocol: "any", ports: "any" };
  const protocol = ipProtocol === protocolNumbers.udp ? "udp" : "tcp";
  return { protocol, ports: { from: port, to: port } };
}
