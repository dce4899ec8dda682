// What counts for a container on a guarded network: the network's lists with its own, or none while it is in
// quarantine. For one that is not known yet, what the lists of those that it may be could change.

import type { GuardedNetwork } from "../../model/guarded-network.ts";
import type { Picture } from "../../model/picture.ts";
import type { Container } from "../../model/topology.ts";
import type { Policy } from "../../policy/decide/policy.ts";
import type { CompiledList, EntryList } from "../../policy/entry-list.ts";
import type { Asker, Knowledge } from "../knowledge.ts";
import type { GuardedStanding } from "../standing.ts";

/** The policies of one picture of the engine. */
export class AskerPolicies {
  readonly #services: ReadonlyMap<string, readonly EntryList[]>;
  readonly #policies = new Map<string, Policy>();
  readonly #quarantined: ReadonlySet<string>;
  /** The containers with lists of their own: a container that is not known may be one of them. */
  readonly #listed: readonly { readonly container: Container; readonly takes: boolean }[];
  readonly #compile: (list: EntryList) => CompiledList;

  constructor(
    { topology, services, quarantined }: Pick<Picture, "topology" | "services" | "quarantined">,
    compile: (list: EntryList) => CompiledList,
  ) {
    this.#compile = compile;
    this.#quarantined = new Set(quarantined);
    this.#services = new Map(services.map((service) => [service.containerId, service.lists]));
    this.#listed = topology.containers.flatMap((container) => {
      const lists = this.#services.get(container.id) ?? [];
      return lists.length === 0 ? [] : [{ container, takes: lists.some(takesAway) }];
    });
  }

  /** Ids of the containers with lists of their own. */
  listed(): readonly string[] {
    return this.#listed.map(({ container }) => container.id);
  }

  /** Whether a container is known to be in quarantine. */
  isCutOff(container: Container | undefined): boolean {
    return container !== undefined && this.#quarantined.has(container.id);
  }

  /** What the network allows, and what the container's own lists add to it; compiled when first asked for. */
  of({ id, name, lists }: GuardedNetwork, container: Container | undefined): Policy {
    if (this.isCutOff(container)) return { network: name, lists: [], isQuarantined: true };
    const own = container === undefined ? undefined : this.#services.get(container.id);
    const key = own === undefined ? id : `${id} ${container?.id}`;
    const compiled = this.#policies.get(key) ?? {
      network: name,
      lists: [...lists, ...(own ?? [])].map(this.#compile),
    };
    this.#policies.set(key, compiled);
    return compiled;
  }

  /** What the lists of the containers that it may be could change. */
  certaintyAbout(asker: Asker, knowledge: Knowledge): Pick<GuardedStanding, "settled" | "mayLose"> {
    if (knowledge.whoIs(asker) !== undefined) return { settled: true, mayLose: false };
    if (knowledge.isUnheard(asker)) return { settled: false, mayLose: true };
    const its = this.#listed.filter(({ container }) => knowledge.mayBe(asker, container));
    return { settled: its.length === 0, mayLose: its.some(({ takes }) => takes) };
  }
}

function takesAway({ entries, closes }: EntryList): boolean {
  return closes === true || entries.some(({ negated }) => negated);
}
