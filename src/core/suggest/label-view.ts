// What the labels and the policy file say of a network's containers, as `suggest` and `replay` judge by it: lists stay
// with a network that is made anew, and overrides by command do not.

import { placeOfOverrides } from "../classify/gather.ts";
import type { Classification } from "../classify/networks.ts";
import { isNeverOutside, leadsInside } from "../dns/address-filter.ts";
import { codeOfType } from "../dns/wire/record-types.ts";
import { shortId } from "../journal/denied-notes.ts";
import { addressBytes, hostPrefix, type IpAddress } from "../model/address.ts";
import type { GuardedNetwork } from "../model/guarded-network.ts";
import { protocolNumbers, type Service } from "../model/service.ts";
import type { Topology } from "../model/topology.ts";
import { addressRights, decideName, decidePacket, opensHost, type Policy } from "../policy/decide.ts";
import { compileList, type EntryList } from "../policy/entry-list.ts";
import { describeEntry } from "../policy/preset.ts";
import type { NeedsContext } from "./needs.ts";
import type { SeenConnection } from "./observed.ts";

/** The lists of a container on a network; of the network alone where no such container is known. */
export function listsOf(
  network: GuardedNetwork,
  containerId: string | undefined,
  { containers }: Pick<Classification, "containers">,
): readonly EntryList[] {
  const service = containers.services.find(
    (each) => containerId !== undefined && shortId(each.containerId) === shortId(containerId),
  );
  return [...network.lists, ...(service?.lists ?? [])];
}

/** Those that are not made by command. */
export function lastingLists(lists: readonly EntryList[], network: string, container: string): EntryList[] {
  const places = [
    placeOfOverrides({ kind: "network", name: network }),
    placeOfOverrides({ kind: "container", name: container }),
  ];
  return lists.filter(({ source }) => !places.some((place) => source.startsWith(place)));
}

/** What answers may lead to on this host, beside private addresses. */
export interface Inside {
  readonly isHost: (address: IpAddress) => boolean;
  readonly isInside: (address: IpAddress) => boolean;
}

export function insideOf(hostAddresses: readonly IpAddress[], { networks }: Topology): Inside {
  const host = new Set(hostAddresses);
  const neighbours = networks.flatMap(({ subnets }) => subnets).filter(({ length }) => length > 0);
  const own = [...hostAddresses.map(hostPrefix), ...neighbours];
  return {
    isHost: (address) => host.has(address),
    isInside: (address) => leadsInside(own, addressBytes(address)),
  };
}

/** Judges by these lists what a network's containers have done. */
export function labelView(
  network: GuardedNetwork,
  lists: readonly EntryList[],
  { isHost, isInside }: Inside,
  nowMs: number,
): Omit<NeedsContext, "takenBy"> {
  const policy: Policy = { network: network.name, lists: lists.map(compileList) };
  const isNamed = (address: IpAddress): boolean =>
    addressRights(policy, address, nowMs).granted.length > 0 || (isHost(address) && opensHost(policy, nowMs));
  return {
    servicesOf: (name) => servicesOf(policy, name, nowMs),
    servesType(name, type) {
      const decision = decideName(policy, name, nowMs);
      const code = codeOfType(type);
      const isAdded = code !== undefined && network.labels.types.includes(code);
      return isAdded || (type === "TXT" && decision.allowed && decision.exact);
    },
    allows(connection) {
      if (isHost(connection.destination)) return opensPort(lists, connection);
      const { destination } = connection;
      const names = isInside(destination) && !isNamed(destination) ? [] : connection.names;
      return decidePacket(policy, connection, names, nowMs).allowed;
    },
    isHost,
    isInside,
    isNamed,
    unfit: (address) =>
      isNeverOutside(addressBytes(address))
        ? "link-local, multicast and broadcast addresses are never suggested"
        : undefined,
  };
}

/** The `!` entry that takes a name or an address away, and where it stands. */
export function takenBy(policy: Policy, nowMs: number): NeedsContext["takenBy"] {
  return ({ name, address }) => {
    const decision = name === undefined ? undefined : decideName(policy, name, nowMs);
    const [taken] = [
      ...(decision !== undefined && !decision.allowed ? decision.by : []),
      ...(address === undefined ? [] : addressRights(policy, address, nowMs).taken),
    ];
    return taken === undefined ? undefined : `${describeEntry(taken.entry)} (${taken.source})`;
  };
}

function servicesOf(policy: Policy, name: string, nowMs: number): readonly Service[] {
  const decision = decideName(policy, name, nowMs);
  return decision.allowed ? decision.services : [];
}

/** Whether a `host` entry of the lists names the port, and none takes it away. */
function opensPort(lists: readonly EntryList[], { ipProtocol, port = -1 }: SeenConnection): boolean {
  const hits = lists
    .flatMap(({ entries }) => entries)
    .filter(
      (entry) =>
        entry.kind === "host" &&
        port >= entry.from &&
        port <= entry.to &&
        (entry.protocol === "any" || protocolNumbers[entry.protocol] === ipProtocol),
    );
  return hits.length > 0 && hits.every(({ negated }) => !negated);
}
