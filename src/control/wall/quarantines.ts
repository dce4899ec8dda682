// Quarantine is a container's, and ends with it. One that is made anew under its name (`docker compose up
// --force-recreate`, watchtower) is another container: it is treated as any other, and named in a warning until a command
// has decided about it.

import { shortId, type Topology } from "../../core/model/topology.ts";

/** A container that was found in quarantine. */
export interface Quarantined {
  readonly id: string;
  /** Undefined where it is not known. */
  readonly name: string | undefined;
}

type Containers = Pick<Topology, "containers">;

export class Quarantines {
  /** Ids of the containers that are cut off. Commands change it. */
  readonly ids: Set<string>;
  /** The names of each of them: who replaces one may rename it first. */
  readonly #names = new Map<string, Set<string>>();
  readonly #ended = new Map<string, string>();

  /** @param found what an earlier run has left in quarantine */
  constructor(found: readonly Quarantined[]) {
    this.ids = new Set(found.map(({ id }) => id));
    for (const { id, name } of found) this.#names.set(id, new Set(name === undefined ? [] : [name]));
  }

  /** Ids of containers that are gone, by each name that they had in quarantine. */
  get ended(): ReadonlyMap<string, string> {
    return this.#ended;
  }

  /** Learns by which names those in quarantine go: about these a command has decided. */
  observe({ containers }: Containers): void {
    for (const id of this.#names.keys()) if (!this.ids.has(id)) this.#names.delete(id);
    for (const { id, name } of containers) {
      if (!this.ids.has(id)) continue;
      this.#names.set(id, (this.#names.get(id) ?? new Set()).add(name));
      this.#ended.delete(name);
    }
  }

  /** To be called with all containers: ends the quarantine of others. @returns what these were called */
  forgetGone({ containers }: Containers): readonly string[] {
    const there = new Set(containers.map(({ id }) => id));
    const gone = [...this.ids].filter((id) => !there.has(id));
    return gone.map((id) => this.#end(id));
  }

  /** What has this name now is meant to be out of quarantine. @returns whether there was one of this name in it */
  accept(name: string): boolean {
    return this.#ended.delete(name);
  }

  #end(id: string): string {
    const names = [...(this.#names.get(id) ?? [])];
    this.ids.delete(id);
    this.#names.delete(id);
    for (const name of names) this.#ended.set(name, id);
    return names[0] ?? shortId(id);
  }
}
