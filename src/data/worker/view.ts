// The picture by which the data plane decides, and what is made of it once for all decisions.

import { AskerIndex } from "../../core/askers/index-of-askers.ts";
import { allRead, Knowledge, type Presence } from "../../core/askers/knowledge.ts";
import type { Membership, Standing } from "../../core/askers/standing.ts";
import { UnknownSandboxes } from "../../core/askers/unknown-sandboxes.ts";
import type { IpAddress, Prefix } from "../../core/model/address.ts";
import type { Picture } from "../../core/model/picture.ts";
import type { Readings, Topology } from "../../core/model/topology.ts";
import { createListCompiler } from "../../core/policy/entry-list.ts";
import type { ToDataPlane } from "../../planes/messages.ts";
import { withReadings } from "../../planes/picture.ts";

export interface ViewOptions {
  readonly presence: Presence;
  readonly isLive: (sandbox: string) => boolean;
}

const nothing: Picture = {
  topology: { networks: [], containers: [] },
  guarded: [],
  services: [],
  quarantined: [],
};

export class View {
  readonly #options: ViewOptions;
  readonly #compiler = createListCompiler();
  // Before the first picture no container is known.
  #readings: Readings = { ...allRead, listedAtMs: Number.NEGATIVE_INFINITY };
  #topology: Topology = nothing.topology;
  #knowledge: Knowledge;
  #index = new AskerIndex(nothing);
  #unknownSandboxes: UnknownSandboxes;
  #subnetsById: ReadonlyMap<string, readonly Prefix[]> = new Map();

  constructor(options: ViewOptions) {
    this.#options = options;
    this.#knowledge = this.#knowledgeOf(nothing);
    this.#unknownSandboxes = new UnknownSandboxes(nothing, this.#knowledge);
  }

  get topology(): Topology {
    return this.#topology;
  }

  get knowledge(): Knowledge {
    return this.#knowledge;
  }

  get index(): AskerIndex {
    return this.#index;
  }

  get unknownSandboxes(): UnknownSandboxes {
    return this.#unknownSandboxes;
  }

  /** When the last list of the engine's networks and containers began. */
  get listedAtMs(): number {
    return this.#readings.listedAtMs;
  }

  /** Decides by this picture from now on. */
  usePicture(picture: Picture): void {
    this.#topology = picture.topology;
    this.#knowledge = this.#knowledgeOf(picture);
    this.#index = new AskerIndex(picture, this.#compiler.compile, this.#knowledge);
    const before = this.#unknownSandboxes;
    this.#unknownSandboxes = new UnknownSandboxes(picture, this.#knowledge, before, this.#options.isLive);
    this.#subnetsById = new Map(picture.guarded.map(({ id, subnets }) => [id, subnets]));
    this.#compiler.retain(
      new Set([...picture.guarded, ...picture.services].flatMap(({ lists }) => lists.map(({ id }) => id))),
    );
  }

  /** The picture is known to be true up to later now. */
  useReadings(posted: Extract<ToDataPlane, { readonly kind: "readings" }>): void {
    const ids = new Set(this.#topology.containers.map(({ id }) => id));
    this.#readings = withReadings(this.#readings, posted, (id) => ids.has(id));
  }

  /** The networks on which an address is a guarded container's. */
  membershipsAt(source: IpAddress): readonly Membership[] {
    return membershipsOf(this.#index.standingOfSource(source));
  }

  /** Subnets of a guarded network. */
  subnetsOf(networkId: string): readonly Prefix[] {
    return this.#subnetsById.get(networkId) ?? [];
  }

  #knowledgeOf(picture: Picture): Knowledge {
    return new Knowledge(picture, () => this.#readings, this.#options.presence);
  }
}

/** None for one that is not guarded. */
export function membershipsOf(standing: Standing): readonly Membership[] {
  return standing.kind === "guarded" ? standing.memberships : [];
}
