// How a picture travels between the planes. Lists of entries may be long and change rarely, but a picture comes with
// every start of a container. So a list is sent and compiled once, and pictures name it by its id.

import { grantKeyOf } from "../core/labels/grants.ts";
import type { GuardedNetwork, ServicePolicy } from "../core/model/guarded-network.ts";
import type { Picture } from "../core/model/picture.ts";
import type { Readings } from "../core/model/topology.ts";
import type { EntryList } from "../core/policy/entry-list.ts";
import type { ToDataPlane } from "./messages.ts";
import type { Posted, PostedPicture } from "./request-table.ts";

/** The sender: remembers which lists the other side has. */
export function createPoster(): (picture: Picture) => PostedPicture {
  let known: ReadonlySet<number> = new Set();
  return ({ guarded, services, ...rest }) => {
    const lists = new Map(
      [...guarded, ...services].flatMap((policy) => policy.lists.map((list) => [list.id, list])),
    );
    const fresh = [...lists.values()].filter(({ id }) => !known.has(id));
    known = new Set(lists.keys());
    return { ...rest, lists: fresh, guarded: guarded.map(post), services: services.map(post) };
  };
}

/** The receiver: remembers the lists that the last picture named, and no others. */
export function createReceiver(): (posted: PostedPicture) => Picture {
  let known: ReadonlyMap<number, EntryList> = new Map();
  return ({ topology, lists, guarded, services, quarantined, enslaved }) => {
    const all = new Map([...known, ...lists.map((list) => [list.id, list] as const)]);
    const used = new Map<number, EntryList>();
    const receive = <Policy extends { readonly lists: readonly EntryList[] }>({
      listIds,
      ...rest
    }: Posted<Policy>): Omit<Policy, "lists"> & { lists: EntryList[] } => {
      const found = listIds.map((id) => all.get(id)).filter((list) => list !== undefined);
      for (const list of found) used.set(list.id, list);
      return { ...(rest as unknown as Omit<Policy, "lists">), lists: found };
    };
    const picture = {
      topology,
      guarded: guarded.map((network) => receive<GuardedNetwork>(network)),
      services: services.map((service) => receive<ServicePolicy>(service)),
      quarantined,
      ...(enslaved === undefined ? {} : { enslaved }),
    };
    known = used;
    return picture;
  };
}

type PostedReadings = Omit<Extract<ToDataPlane, { kind: "readings" }>, "kind">;

/** The sender of readings: those that the other side has are not sent again. */
export function createReadingsPoster(): (readings: Readings) => PostedReadings {
  let known: ReadonlyMap<string, number> = new Map();
  return ({ listedAtMs, readAtMs }) => {
    const fresh = [...readAtMs].filter(([id, atMs]) => known.get(id) !== atMs);
    known = new Map(readAtMs);
    return { listedAtMs, readAtMs: fresh };
  };
}

/** What has been read, together with what was known of containers that there are still. */
export function withReadings(
  before: Readings,
  { listedAtMs, readAtMs }: PostedReadings,
  isKnown: (id: string) => boolean,
): Readings {
  const kept = [...before.readAtMs].filter(([id]) => isKnown(id));
  return { listedAtMs, readAtMs: new Map([...kept, ...readAtMs]) };
}

function post<Policy extends { readonly lists: readonly EntryList[] }>({
  lists,
  ...rest
}: Policy): Posted<Policy> {
  return { ...rest, listIds: lists.map(({ id }) => id) };
}

/** Equal for two pictures by which everybody who is in both is judged alike. */
export function epochOf({ guarded, services, quarantined }: Picture): string {
  return JSON.stringify([
    guarded.map(({ id, labels, subnets, lists }) => [
      id,
      grantKeyOf(labels),
      subnets,
      lists.map((list) => list.id),
    ]),
    services.map(({ containerId, lists }) => [containerId, lists.map((list) => list.id)]),
    quarantined,
  ]);
}
