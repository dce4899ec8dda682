// What the labels and the policy file say of a network's containers, as `suggest` and `replay` judge by it: lists stay
// with a network that is made anew, and overrides by command do not.

import { placeOfOverrides } from "../classify/gather.ts";
import type { Classification } from "../classify/networks.ts";
import { isNeverOutside, leadsInside } from "../dns/address-filter.ts";
import { codeOfType } from "../dns/wire/record-types.ts";
import { addressBytes, hostPrefix, type IpAddress } from "../model/address.ts";
import type { GuardedNetwork } from "../model/guarded-network.ts";
import { type Service, serviceCovers, serviceGrants } from "../model/service.ts";
import { shortId, type Topology } from "../model/topology.ts";
import {
  addressRights,
  decideName,
  decidePacket,
  hostServices,
  mayLeadToHost,
  type Policy,
  type Term,
  termsAt,
} from "../policy/decide.ts";
import { type CompiledList, compileList } from "../policy/entry-list.ts";
import { describeEntry } from "../policy/preset.ts";
import type { NeedsContext } from "./needs.ts";

/** The lists of a container on a network, compiled; of the network alone where no such container is known. */
export function listsOf(
  network: GuardedNetwork,
  containerId: string | undefined,
  { containers }: { readonly containers: Pick<Classification["containers"], "services"> },
): readonly CompiledList[] {
  const service = containers.services.find(
    (each) => containerId !== undefined && shortId(each.containerId) === shortId(containerId),
  );
  return [...network.lists, ...(service?.lists ?? [])].map(compileList);
}

/** Those that are not made by command. */
export function lastingLists(
  lists: readonly CompiledList[],
  network: string,
  container: string,
): readonly CompiledList[] {
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
  lists: readonly CompiledList[],
  { isHost, isInside }: Inside,
  nowMs: number,
): Omit<NeedsContext, "takenBy"> {
  const policy: Policy = { network: network.name, lists };
  const servicesAt = (terms: readonly Term[], address: IpAddress): readonly Service[] =>
    termsAt(policy, terms, { address, inside: isInside(address) }, nowMs).flatMap(({ services }) => services);
  return {
    servicesOf: (name) => termsOf(policy, name, nowMs).flatMap(({ services }) => services),
    servesType(name, type) {
      const decision = decideName(policy, name, nowMs);
      const code = codeOfType(type);
      const isAdded = code !== undefined && network.labels.types.includes(code);
      return isAdded || (type === "TXT" && decision.allowed && decision.exact);
    },
    allows(connection) {
      const { destination, ipProtocol, port } = connection;
      const grants = (service: Service): boolean => serviceGrants(service, ipProtocol, port);
      if (isHost(destination))
        return hostServices(policy, nowMs).some((service) => serviceCovers(service, ipProtocol, port));
      const names = connection.names.filter((name) =>
        servicesAt(termsOf(policy, name, nowMs), destination).some(grants),
      );
      return decidePacket(policy, connection, names, nowMs).allowed;
    },
    leadsTo(name, address, added) {
      const terms = termsOf(policy, name, nowMs);
      if (added !== undefined) terms.push({ services: added, within: undefined, endsAtMs: undefined });
      if (servicesAt(terms, address).length > 0) return true;
      return isHost(address) && mayLeadToHost(policy, terms, nowMs);
    },
    isHost,
    isInside,
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

function termsOf(policy: Policy, name: string, nowMs: number): Term[] {
  const decision = decideName(policy, name, nowMs);
  return decision.allowed ? [...decision.terms] : [];
}
