// Overrides that do nothing, and what is taken away from neighbours: nothing is wrong with such entries but that they have
// no effect, and who makes one counts on it.

import { findUnneeded } from "../../check/unneeded.ts";
import { type Prefix, prefixContains } from "../../model/address.ts";
import type { GuardedNetwork, ServicePolicy } from "../../model/guarded-network.ts";
import type { Topology } from "../../model/topology.ts";
import type { Entry } from "../entry.ts";
import type { EntryList } from "../entry-list.ts";
import type { OverrideTarget } from "../override.ts";
import { describeEntry } from "../preset.ts";
import { overrideAt, renderRemoval } from "./place.ts";

export interface IdleEntry {
  readonly target: OverrideTarget;
  /** One sentence, with what to do. */
  readonly sentence: string;
}

/** The lists of networks, and those that containers have for themselves. */
export interface Lists {
  readonly guarded: readonly Pick<GuardedNetwork, "id" | "name" | "lists">[];
  readonly services: readonly Pick<ServicePolicy, "containerId" | "name" | "lists">[];
}

/** Whose lists they are, and where they count. */
interface ListOwner {
  readonly target: OverrideTarget;
  readonly lists: readonly EntryList[];
  /** What counts beside them, on each network by itself. */
  readonly beside: readonly (readonly EntryList[])[];
  /** The networks that its containers are on. */
  readonly networks: Topology["networks"];
}

export function findIdle(topology: Topology, lists: Lists): readonly IdleEntry[] {
  return placesOf(topology, lists).flatMap((place) =>
    [...tellOutdone(place), ...tellNeighbours(place)].map((sentence) => ({ target: place.target, sentence })),
  );
}

function placesOf({ networks, containers }: Topology, { guarded, services }: Lists): readonly ListOwner[] {
  const byId = new Map(networks.map((network) => [network.id, network]));
  const guardedById = new Map(guarded.map((network) => [network.id, network]));
  const containersById = new Map(containers.map((container) => [container.id, container]));
  const networksOf = (ids: readonly string[]): ListOwner["networks"] =>
    ids.flatMap((id) => byId.get(id) ?? []);
  return [
    ...guarded.map(({ id, name, lists }): ListOwner => {
      return { target: { kind: "network", name }, lists, beside: [[]], networks: networksOf([id]) };
    }),
    ...services.map(({ containerId, name, lists }): ListOwner => {
      const endpoints = containersById.get(containerId)?.endpoints ?? [];
      const ids = endpoints.map(({ networkId }) => networkId);
      const beside = ids.flatMap((id) => {
        const network = guardedById.get(id);
        return network === undefined ? [] : [network.lists];
      });
      return { target: { kind: "container", name }, lists, beside, networks: networksOf(ids) };
    }),
  ];
}

/** What `allow` grants, and `!` takes away again. */
function tellOutdone({ lists, beside }: ListOwner): readonly string[] {
  const allowed = lists.filter(({ source }) => overrideAt(source)?.entry.startsWith("!") === false);
  if (allowed.length === 0) return [];
  const own = allowed.map(({ source, entries }) => ({ word: source, entries }));
  const taking = beside.map((others) => [...lists, ...others].flatMap(negatedOf));
  return findUnneeded(own, taking).flatMap(({ why, word, by }) => {
    if (why !== "taken-away") return [];
    const all = [...lists, ...beside.flat()];
    const removals = by.flatMap((entry) => {
      const list = all.find((each) => negatedOf(each).some((one) => describeEntry(one) === entry));
      return list === undefined ? [] : renderRemoval(entry, list.source);
    });
    return [
      `${word}: it grants nothing, as ${by.join(", ")} takes it away, and \`!\` wins; to change it: ${[...new Set(removals)].join("; ")}`,
    ];
  });
}

/** What is taken away of a network that the containers are on themselves. */
function tellNeighbours({ lists, networks }: ListOwner): readonly string[] {
  return lists.flatMap((list) =>
    negatedOf(list).flatMap((entry) => {
      if (entry.kind !== "prefix") return [];
      const near = networks.find(({ subnets }) => subnets.some((subnet) => isWithin(entry.prefix, subnet)));
      if (near === undefined) return [];
      return [
        `${list.source}: ${describeEntry(entry)} has no effect, as it is on network ${JSON.stringify(near.name)} itself, where containers always reach each other; to cut one off from its neighbours: docker exec dockerwall quarantine CONTAINER`,
      ];
    }),
  );
}

function isWithin({ address, length }: Prefix, subnet: Prefix): boolean {
  return length >= subnet.length && prefixContains(subnet, address);
}

/** Lists are long, stay the same, and have few of these; each classification asks. */
const negated = new WeakMap<EntryList, readonly Entry[]>();

function negatedOf(list: EntryList): readonly Entry[] {
  const known = negated.get(list) ?? list.entries.filter((entry) => entry.negated);
  negated.set(list, known);
  return known;
}
