// Which asker is behind a resolver, and which others are asked when it is: a graph from resolvers to askers, and from
// askers to the resolvers that they may ask in turn.

import type { IpAddress } from "../../model/address.ts";
import type { Upstream } from "../../model/upstream.ts";
import type { AskerAt, Choice, CircleAsker } from "./askers.ts";

export interface ResolverGraphInput {
  readonly askerAt: AskerAt;
  /** The daemon's own resolvers. */
  readonly upstreams: readonly Upstream[];
  /** Of the guarded networks. */
  readonly choices: readonly Choice[];
}

export class ResolverGraph {
  readonly #askerAt: AskerAt;
  readonly #upstreams: readonly Upstream[];
  /** The ids of all askers that are asked when a resolver is asked, for each resolver that leads to any. */
  readonly #reached = new Map<string, ReadonlySet<string>>();

  constructor({ askerAt, upstreams, choices }: ResolverGraphInput) {
    this.#askerAt = askerAt;
    this.#upstreams = upstreams;
    for (const upstream of [...upstreams, ...choices.flatMap((choice) => choice ?? [])])
      if (this.#askersBehind(upstream).length > 0) this.#reached.set(keyOf(upstream), this.#reach(upstream));
  }

  /** True if no resolver is an asker, nor asks one: then nothing leads anywhere. */
  get isEmpty(): boolean {
    return this.#reached.size === 0;
  }

  /** The resolvers of a choice. */
  listOf(choice: Choice): readonly Upstream[] {
    return choice ?? this.#upstreams;
  }

  /** Whether this asker is asked when the resolver is asked. */
  leadsTo(upstream: Upstream, askerId: string): boolean {
    return this.#reached.get(keyOf(upstream))?.has(askerId) === true;
  }

  /** Whether the lookups of an asker behind this resolver come back to it, by every resolver that it may ask. */
  isInCircle(upstream: Upstream): boolean {
    return this.#askersBehind(upstream).some(
      ({ id, choices }) =>
        choices.length > 0 &&
        choices.every((choice) => {
          const list = this.listOf(choice);
          return list.length > 0 && list.every((each) => this.leadsTo(each, id));
        }),
    );
  }

  /** Who is behind a resolver, in words. */
  describe(upstream: Upstream): string {
    const [asker] = this.#askersBehind(upstream);
    const { address } = upstream;
    const through = upstream.leadsTo?.find((each) => this.#askerAt(each, upstream.port)?.id === asker?.id);
    return through === undefined
      ? `${address} is ${asker?.description}`
      : `${address} asks ${through}, which is ${asker?.description}`;
  }

  /** The askers that a resolver is, or asks. */
  #askersBehind(upstream: Upstream): readonly CircleAsker[] {
    return placesOf(upstream).flatMap((address) => this.#askerAt(address, upstream.port) ?? []);
  }

  #reach(upstream: Upstream): ReadonlySet<string> {
    const reached = new Set<string>();
    const next = [...this.#askersBehind(upstream)];
    for (let asker = next.pop(); asker !== undefined; asker = next.pop()) {
      if (reached.has(asker.id)) continue;
      reached.add(asker.id);
      const asked = asker.choices.flatMap((choice) => this.listOf(choice));
      next.push(...asked.flatMap((each) => this.#askersBehind(each)));
    }
    return reached;
  }
}

function keyOf(upstream: Upstream): string {
  return `${placesOf(upstream).join(" ")} ${upstream.port}`;
}

function placesOf({ address, leadsTo = [] }: Upstream): readonly IpAddress[] {
  return [address, ...leadsTo];
}
