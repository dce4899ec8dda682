// How a picture travels between the planes. Lists of entries may be long and change rarely, but a picture comes with
// every start of a container. So a list is sent and compiled once, and pictures name it by its id.

import { grantKeyOf } from "../core/labels/grants.ts";
import type { GuardedNetwork, ServicePolicy } from "../core/model/guarded-network.ts";
import type { Picture } from "../core/model/picture.ts";
import type { Readings } from "../core/model/topology.ts";
import type { EntryList } from "../core/policy/entry-list.ts";
import { DockerwallError } from "../errors.ts";
import type { ToDataPlane } from "./messages.ts";
import type { Posted, PostedPicture } from "./request-table.ts";

/**
 * The sender: remembers which lists the other side has.
 * @param send resolves once the other side decides by what it sent, and rejects where that may not be so
 */
export function createPoster(
  send: (posted: PostedPicture) => Promise<void>,
): (picture: Picture) => Promise<void> {
  let known: ReadonlySet<number> = new Set();
  let latest: PostedPicture | undefined;
  return async ({ guarded, services, ...rest }) => {
    const lists = new Map(
      [...guarded, ...services].flatMap((policy) => policy.lists.map((list) => [list.id, list])),
    );
    const fresh = [...lists.values()].filter(({ id }) => !known.has(id));
    const posted = { ...rest, lists: fresh, guarded: guarded.map(post), services: services.map(post) };
    // What is refused may have arrived all the same: until there is an answer nobody knows what the other side has.
    known = new Set();
    latest = posted;
    await send(posted);
    if (latest === posted) known = new Set(lists.keys());
  };
}

/**
 * The receiver: remembers the lists that the last picture named, and no others. What it returns throws where a picture
 * names a list that it has not got: without one, a policy may allow more.
 */
export function createReceiver(): (posted: PostedPicture) => Picture {
  let known: ReadonlyMap<number, EntryList> = new Map();
  return ({ topology, lists, guarded, services, quarantined, enslaved }) => {
    const all = new Map([...known, ...lists.map((list) => [list.id, list] as const)]);
    const used = new Map<number, EntryList>();
    const receive = <Policy extends { readonly lists: readonly EntryList[] }>({
      listIds,
      ...rest
    }: Posted<Policy>): Omit<Policy, "lists"> & { lists: EntryList[] } => {
      const found = listIds.map((id) => all.get(id) ?? refuseUnknown(id));
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

function refuseUnknown(id: number): never {
  throw new DockerwallError(
    "INTERNAL",
    `the data plane has not got list ${id}, which the latest policy names; it decides by the one before, and is sent every list with the next`,
  );
}

type PostedReadings = Omit<Extract<ToDataPlane, { kind: "readings" }>, "kind">;

/** The sender of readings: those that the other side has are not sent again. @param send throws what kept it from that */
export function createReadingsPoster(send: (posted: PostedReadings) => void): (readings: Readings) => void {
  let known: ReadonlyMap<string, number> = new Map();
  return ({ listedAtMs, readAtMs }) => {
    const fresh = [...readAtMs].filter(([id, atMs]) => known.get(id) !== atMs);
    send({ listedAtMs, readAtMs: fresh });
    known = new Map(readAtMs);
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
