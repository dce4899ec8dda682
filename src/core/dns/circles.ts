// Resolvers whose own lookups come back to them. A resolver in a guarded container is captured like any other container:
// its questions go to its network's resolvers. If that is the resolver itself, or one that asks it in turn, no name is
// ever found. So no resolver is asked on its own behalf; one that asks in a circle gets an error at once.

import { labelName, placeOf } from "../labels/table.ts";
import { familyOf, type IpAddress, type Prefix, parsePrefix, prefixContains } from "../model/address.ts";
import { type GuardedNetwork, guardedNetworkAt } from "../model/guarded-network.ts";
import type { Container, Topology } from "../model/topology.ts";
import type { Upstream } from "../model/upstream.ts";
import { NoTurnError } from "./fair-queue.ts";
import type { Looked } from "./looked.ts";

export interface CircleInput {
  readonly topology: Topology;
  readonly guarded: readonly GuardedNetwork[];
  /** The daemon's own resolvers, for networks without the label. */
  readonly upstreams: readonly Upstream[];
  /** The host's addresses; every loopback address is one. */
  readonly own: readonly Prefix[];
}

/** Undefined stands for the daemon's own resolvers. */
type Choice = readonly Upstream[] | undefined;

export interface Circles {
  /** The resolvers that an asker with these addresses may ask, or why there are none: one sentence. */
  allowed(
    choice: Choice,
    asker: readonly IpAddress[],
  ): { readonly choice: Choice } | { readonly circle: string };
  /** Why no resolver of this choice may answer: one sentence; undefined if one of them leads into no circle. */
  reasonFor(choice: Choice): string | undefined;
  /** One for each choice that leads only into circles, with what to do. */
  readonly sentences: readonly string[];
}

/** A container or address that looks names up, with all its addresses. */
interface Asker {
  readonly id: string;
  /** In words, after "is". */
  readonly description: string;
  readonly choices: readonly Choice[];
}

/** Part of the text of every refusal because of a circle. */
export const circleWords = "come back here";

/** A lookup that would come back to itself, or that failed because its resolver's own lookups do. */
export class CircleError extends Error {}

export function findCircles(input: CircleInput): Circles {
  const listOf = (choice: Choice): readonly Upstream[] => choice ?? input.upstreams;
  const askerAt = findAskers(input);

  /** The askers that an upstream is, or asks. */
  const askersBehind = (upstream: Upstream): readonly Asker[] =>
    placesOf(upstream).flatMap((address) => askerAt(address, upstream.port) ?? []);

  /** All askers that are asked when this upstream is asked. */
  function reach(upstream: Upstream): ReadonlySet<string> {
    const reached = new Set<string>();
    const next = [...askersBehind(upstream)];
    for (let asker = next.pop(); asker !== undefined; asker = next.pop()) {
      if (reached.has(asker.id)) continue;
      reached.add(asker.id);
      next.push(...asker.choices.flatMap(listOf).flatMap(askersBehind));
    }
    return reached;
  }

  const all = [...input.upstreams, ...input.guarded.flatMap(({ labels }) => labels.upstream ?? [])];
  const reached = new Map<string, ReadonlySet<string>>();
  for (const upstream of all)
    if (askersBehind(upstream).length > 0) reached.set(keyOf(upstream), reach(upstream));
  const leadsTo = (upstream: Upstream, id: string): boolean => reached.get(keyOf(upstream))?.has(id) === true;

  /** The asker behind an upstream, if its lookups come back to itself. */
  function inCircle(upstream: Upstream): Asker | undefined {
    return askersBehind(upstream).find(
      ({ id, choices }) =>
        choices.length > 0 &&
        choices.every((choice) => {
          const list = listOf(choice);
          return list.length > 0 && list.every((each) => leadsTo(each, id));
        }),
    );
  }

  function reasonFor(choice: Choice): string | undefined {
    if (reached.size === 0) return undefined;
    const list = listOf(choice);
    const [first] = list;
    if (first === undefined || !list.every((upstream) => inCircle(upstream) !== undefined)) return undefined;
    return `${described(first)}, whose lookups ${circleWords}`;
  }

  function described(upstream: Upstream): string {
    const [asker] = askersBehind(upstream);
    const { address } = upstream;
    const through = upstream.leadsTo?.find((each) => askerAt(each, upstream.port)?.id === asker?.id);
    return through === undefined
      ? `${address} is ${asker?.description}`
      : `${address} asks ${through}, which is ${asker?.description}`;
  }

  function sentenceFor(choice: Choice, place: string): readonly string[] {
    const [first] = listOf(choice);
    if (first === undefined || reasonFor(choice) === undefined) return [];
    return [
      `${place} ${described(first)}, whose own lookups come back to it: names cannot be looked up; move it to a network without dockerwall.allow, or name a resolver outside (DOCKERWALL_UPSTREAM, or the label dockerwall.upstream of its network)`,
    ];
  }

  return {
    allowed(choice, addresses) {
      // Nearly always: no resolver is in a container.
      if (reached.size === 0) return { choice };
      const ids = addresses.flatMap((address) => askerAt(address, 53)?.id ?? []);
      const list = listOf(choice);
      const left = list.filter((upstream) => !ids.some((id) => leadsTo(upstream, id)));
      if (left.length === list.length) return { choice };
      if (left.length > 0) return { choice: left };
      return {
        circle: `the resolver of this container leads to itself: ${list[0] === undefined ? "" : described(list[0])}, whose lookups ${circleWords}`,
      };
    },
    reasonFor,
    sentences: [
      ...(input.guarded.some(({ labels }) => labels.upstream === undefined)
        ? sentenceFor(undefined, "the host's resolver")
        : []),
      ...input.guarded.flatMap(({ name, labels }) =>
        labels.upstream === undefined
          ? []
          : sentenceFor(labels.upstream, `${placeOf({ kind: "network", name }, labelName("upstream"))}:`),
      ),
    ],
  };
}

function keyOf(upstream: Upstream): string {
  return `${placesOf(upstream).join(" ")} ${upstream.port}`;
}

function placesOf({ address, leadsTo = [] }: Upstream): readonly IpAddress[] {
  return [address, ...leadsTo];
}

/** The asker at an address and port, among those whose lookups come to us. */
function findAskers({
  topology,
  guarded,
  own,
}: CircleInput): (address: IpAddress, port: number) => Asker | undefined {
  const byId = new Map(guarded.map((network) => [network.id, network]));
  const byAddress = new Map<IpAddress, Asker>();
  const published: { readonly address: IpAddress; readonly port: number; readonly asker: Asker }[] = [];
  for (const container of topology.containers) {
    const asker = askerOf(container, byId);
    if (asker === undefined) continue;
    for (const { addresses } of container.endpoints)
      for (const address of addresses) byAddress.set(address, asker);
    for (const place of container.published ?? []) published.push({ ...place, asker });
  }

  return (address, port) => {
    const known = byAddress.get(address);
    if (known !== undefined) return known;
    const network = guardedNetworkAt(guarded, address);
    if (network !== undefined && !network.gateways.includes(address)) {
      const description = `an address of guarded network ${JSON.stringify(network.name)}`;
      return { id: address, description, choices: [network.labels.upstream] };
    }
    return [...own, ...loopback].some((prefix) => prefixContains(prefix, address))
      ? published.find((place) => place.port === port && answersAt(place.address, address))?.asker
      : undefined;
  };
}

const loopback = ["127.0.0.0/8", "::1/128"].flatMap((text) => parsePrefix(text) ?? []);

function askerOf(container: Container, guarded: ReadonlyMap<string, GuardedNetwork>): Asker | undefined {
  const networks = container.endpoints.flatMap(({ networkId }) => guarded.get(networkId) ?? []);
  const [first] = networks;
  if (first === undefined) return undefined;
  const description = `container ${JSON.stringify(container.name)} on guarded network ${JSON.stringify(first.name)}`;
  return { id: container.id, description, choices: networks.map(({ labels }) => labels.upstream) };
}

/** A port that is published at the unspecified address answers at every address of its family. */
function answersAt(published: IpAddress, address: IpAddress): boolean {
  if (published === address) return true;
  return (published === "0.0.0.0" || published === "::") && familyOf(published) === familyOf(address);
}

/** A lookup, its asker, and the resolvers it may go to. */
export interface WayRequest {
  readonly circles: Circles;
  readonly choice: Choice;
  readonly asker: readonly IpAddress[];
  readonly ask: (choice: Choice) => Looked | Promise<Looked>;
}

/** Asks the resolvers that the asker may ask. Throws or rejects as `ask` does, or with CircleError for a circle. */
export function askAlong({ circles, choice, asker, ask }: WayRequest): Looked | Promise<Looked> {
  const way = circles.allowed(choice, asker);
  if ("circle" in way) throw new CircleError(way.circle);
  const reason = circles.reasonFor(way.choice);
  return reason === undefined ? ask(way.choice) : askInto(reason, () => ask(way.choice));
}

/** Resolvers in a circle may know some names, or have another way out; only their failures become a CircleError. */
async function askInto(reason: string, ask: () => Looked | Promise<Looked>): Promise<Looked> {
  let looked: Looked;
  try {
    looked = await ask();
  } catch (cause) {
    if (cause instanceof NoTurnError) throw cause;
    throw new CircleError(reason, { cause });
  }
  if (looked.answer.kind === "bad") throw new CircleError(reason);
  return looked;
}
