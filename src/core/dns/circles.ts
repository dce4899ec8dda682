// Resolvers whose own lookups come back to them. A resolver in a guarded container is captured like any other container:
// its questions go to its network's resolvers. If that is the resolver itself, or one that asks it in turn, no name is
// ever found. So no resolver is asked on its own behalf; one that asks in a circle gets an error at once.

import { labelName, placeOf } from "../labels/table.ts";
import type { IpAddress } from "../model/address.ts";
import type { Upstream } from "../model/upstream.ts";
import type { Taker } from "../taker.ts";
import type { Looked } from "./cached-lookup.ts";
import { type AskersInput, type Choice, findAskers } from "./circles/askers.ts";
import { ResolverGraph } from "./circles/resolver-graph.ts";
import { NoTurnError } from "./no-turn-error.ts";

export interface CircleInput extends AskersInput {
  /** The daemon's own resolvers, for networks without the label. */
  readonly upstreams: readonly Upstream[];
}

export interface Circles {
  /** The resolvers that an asker with these addresses may ask, or why there are none: one sentence. */
  allowed(choice: Choice, asker: readonly IpAddress[]): Allowed;
  /** Why no resolver of this choice may answer: one sentence; undefined if one of them leads into no circle. */
  reasonFor(choice: Choice): string | undefined;
  /** One for each choice that leads only into circles, with what to do. */
  readonly sentences: readonly string[];
}

type Allowed = { readonly choice: Choice } | { readonly circle: string };

/** Part of the text of every refusal because of a circle. */
export const circleWords = "come back here";

/** A lookup that would come back to itself, or that failed because its resolver's own lookups do. */
export class CircleError extends Error {}

export function findCircles(input: CircleInput): Circles {
  const { upstreams, guarded } = input;
  const choices = guarded.map(({ labels }) => labels.upstream);
  const askerAt = findAskers(input);
  const graph = new ResolverGraph({ askerAt, upstreams, choices });
  return {
    allowed(choice, addresses) {
      // Nearly always: no resolver is in a container.
      if (graph.isEmpty) return { choice };
      const ids = addresses.flatMap((address) => askerAt(address, 53)?.id ?? []);
      return allowedTo(ids, choice, graph);
    },
    reasonFor: (choice) => reasonFor(choice, graph),
    sentences: [
      ...(choices.includes(undefined) ? sentenceFor(undefined, "the host's resolver", graph) : []),
      ...guarded.flatMap(({ name, labels: { upstream } }) =>
        upstream === undefined ? [] : sentenceFor(upstream, labelOf(name), graph),
      ),
    ],
  };
}

function labelOf(network: string): string {
  return `${placeOf({ kind: "network", name: network }, labelName("upstream"))}:`;
}

function allowedTo(askerIds: readonly string[], choice: Choice, graph: ResolverGraph): Allowed {
  const list = graph.listOf(choice);
  const left = list.filter((upstream) => !askerIds.some((id) => graph.leadsTo(upstream, id)));
  if (left.length === list.length) return { choice };
  if (left.length > 0) return { choice: left };
  const [first] = list;
  return {
    circle: `the resolver of this container leads to itself: ${first === undefined ? "" : graph.describe(first)}, whose lookups ${circleWords}`,
  };
}

function reasonFor(choice: Choice, graph: ResolverGraph): string | undefined {
  if (graph.isEmpty) return undefined;
  const list = graph.listOf(choice);
  const [first] = list;
  if (first === undefined || !list.every((upstream) => graph.isInCircle(upstream))) return undefined;
  return `${graph.describe(first)}, whose lookups ${circleWords}`;
}

function sentenceFor(choice: Choice, place: string, graph: ResolverGraph): readonly string[] {
  const [first] = graph.listOf(choice);
  if (first === undefined || reasonFor(choice, graph) === undefined) return [];
  return [
    `${place} ${graph.describe(first)}, whose own lookups come back to it: names cannot be looked up; move it to a network without dockerwall.allow, or name a resolver outside (DOCKERWALL_UPSTREAM, or the label dockerwall.upstream of its network)`,
  ];
}

/** A lookup, its asker, and the resolvers it may go to. */
export interface WayRequest {
  readonly circles: Circles;
  readonly choice: Choice;
  readonly asker: readonly IpAddress[];
  readonly ask: (choice: Choice, taker: Taker<Looked>) => void;
}

/** Asks the resolvers that the asker may ask. Fails as `ask` does, or with CircleError for a circle. */
export function askAlong({ circles, choice, asker, ask }: WayRequest, taker: Taker<Looked>): void {
  const way = circles.allowed(choice, asker);
  if ("circle" in way) {
    taker.fail(new CircleError(way.circle));
    return;
  }
  const reason = circles.reasonFor(way.choice);
  ask(way.choice, reason === undefined ? taker : takerInto(reason, taker));
}

/** Resolvers in a circle may know some names, or have another way out; only their failures become a CircleError. */
function takerInto(reason: string, taker: Taker<Looked>): Taker<Looked> {
  return {
    take(looked) {
      if (looked.answer.kind === "bad") taker.fail(new CircleError(reason));
      else taker.take(looked);
    },
    fail: (cause) => taker.fail(cause instanceof NoTurnError ? cause : new CircleError(reason, { cause })),
  };
}
