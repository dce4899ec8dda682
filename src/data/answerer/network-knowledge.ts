// What answers go by beside their asker: Docker's names, the engine's other networks, and who asks whom.

import type { Membership } from "../../core/askers/standing.ts";
import { isPrivatePrefix, leadsInside } from "../../core/dns/address-filter.ts";
import { type CircleInput, type Circles, findCircles } from "../../core/dns/circles.ts";
import { createDiscovery, type Discovery } from "../../core/dns/discovery.ts";
import { labelCount } from "../../core/dns/wire/name.ts";
import type { Question } from "../../core/dns/wire/question.ts";
import { addressBytes, type IpAddress, type Prefix } from "../../core/model/address.ts";
import type { GuardedNetwork } from "../../core/model/guarded-network.ts";
import type { Topology } from "../../core/model/topology.ts";
import type { Upstream } from "../../core/model/upstream.ts";
import { factsOf } from "./askers.ts";

/** The host's own addresses. */
export interface OwnAddresses {
  /** Those that are not link-local; another array, other addresses. */
  readonly beyondLink: readonly Prefix[];
  has(address: IpAddress): boolean;
}

const nothing: Topology = { networks: [], containers: [] };

export class NetworkKnowledge {
  readonly #ownAddresses: OwnAddresses;
  #epoch = 0;
  #neighbours: readonly Prefix[] = [];
  /** The host's own addresses and the neighbours, put together for these of both. */
  #inside: {
    readonly own: readonly Prefix[];
    readonly neighbours: readonly Prefix[];
    readonly all: readonly Prefix[];
  } = { own: [], neighbours: [], all: [] };
  #discovery: Discovery = createDiscovery(nothing);
  #circleInput: Omit<CircleInput, "own">;
  #circles: Circles;

  constructor(upstreams: readonly Upstream[], ownAddresses: OwnAddresses) {
    this.#ownAddresses = ownAddresses;
    this.#circleInput = { topology: nothing, guarded: [], upstreams };
    this.#circles = this.#findCircles({});
  }

  /** Rises with every picture of the engine and its policies, with other upstreams, and other addresses of the host. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The host's own, but for link-local ones, by which no answer opens less; another array, other addresses. */
  get own(): readonly Prefix[] {
    return this.#ownAddresses.beyondLink;
  }

  /**
   * The host's own addresses, and the subnets of the engine's networks, guarded or not: what is there is this host's
   * business.
   */
  get inside(): readonly Prefix[] {
    const [own, neighbours] = [this.own, this.#neighbours];
    if (this.#inside.own !== own || this.#inside.neighbours !== neighbours)
      this.#inside = { own, neighbours, all: [...own, ...neighbours] };
    return this.#inside.all;
  }

  get circles(): Circles {
    return this.#circles;
  }

  isHosts(address: IpAddress): boolean {
    return this.#ownAddresses.has(address);
  }

  /** Whether an address is private, or of this host's own networks. */
  isInside(address: IpAddress): boolean {
    return leadsInside(this.inside, addressBytes(address));
  }

  /** What Docker answers to the question itself. */
  findLocal(question: Question, memberships: readonly Membership[]): ReturnType<Discovery["find"]> {
    return this.#discovery.find(question, factsOf(memberships), Math.random);
  }

  /** Whether Docker would ask others for an asker on these networks; undefined while it may be on more. */
  leadsOutside(memberships: readonly Membership[]): boolean | undefined {
    return this.#discovery.leadsOutside(factsOf(memberships));
  }

  /** Whether nobody is called so yet who could be a container: one that has just come may be. */
  isUnknownLabel(question: Question, memberships: readonly Membership[]): boolean {
    if (labelCount(question.qname) !== 1 || question.name === "localhost") return false;
    return this.findLocal(question, memberships) === undefined;
  }

  useTopology(topology: Topology, guarded: readonly GuardedNetwork[]): void {
    this.#epoch++;
    this.#discovery = createDiscovery(topology);
    this.#circles = this.#findCircles({ topology, guarded });
    // Nearly all are private anyway, and every address of every answer is compared with those that are left.
    this.#neighbours = topology.networks
      .flatMap(({ subnets }) => subnets)
      // A driver without addresses of its own tells of a pool of everything.
      .filter((subnet) => subnet.length > 0 && !isPrivatePrefix(subnet));
  }

  /** The daemon's own resolvers are these. */
  useUpstreams(upstreams: readonly Upstream[]): void {
    this.#epoch++;
    this.#circles = this.#findCircles({ upstreams });
  }

  /** The host has other addresses. */
  useOwnAddresses(): void {
    this.#epoch++;
    this.#circles = this.#findCircles({});
  }

  /** What may be a circle changes with the picture, with whom the daemon asks, and with what leads to the host. */
  #findCircles(change: Partial<CircleInput>): Circles {
    this.#circleInput = { ...this.#circleInput, ...change };
    return findCircles({ ...this.#circleInput, own: this.own });
  }
}
