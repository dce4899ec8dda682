// Who asks: from addresses to the guarded networks that a container is on, with the policy of each. Built anew
// from every picture of the engine; look-ups by address are one map probe for each distinct prefix length.

import { familyOf, type IpAddress, networkAddress, type Prefix } from "../model/address.ts";
import type { GuardedNetwork, NetworkDns, ServicePolicy } from "../model/planes.ts";
import type { Container, Network, Topology } from "../model/topology.ts";
import { type Decision, decideName, type Policy } from "../policy/decide.ts";
import { type CompiledList, compileList, type EntryList } from "../policy/entry-list.ts";
import { type Asker, addressesOf, Knowledge } from "./knowledge.ts";

export interface Membership {
  readonly networkId: string;
  readonly networkName: string;
  readonly policy: Policy;
  /** True when the network lets everything pass. */
  readonly audit: boolean;
  readonly dns: NetworkDns;
  /** The asker's own addresses on this network, and those on networks that are not guarded. */
  readonly addresses: readonly IpAddress[];
}

export interface GuardedStanding {
  readonly kind: "guarded";
  readonly memberships: readonly Membership[];
  /** False while a list of the container's own, which we have not matched to it yet, may decide otherwise. */
  readonly settled: boolean;
  /** True while such a list may take something away: nothing is granted to a container that is not known. */
  readonly mayLose: boolean;
}

export type Standing =
  | GuardedStanding
  /** On known networks, none of them guarded. */
  | { readonly kind: "open" }
  /** No address yet, or one of a network that we have not heard of. */
  | { readonly kind: "unknown" };

interface Known {
  readonly network: Network;
  /** Undefined for a network that is not guarded. */
  readonly guarded: GuardedNetwork | undefined;
}

export interface Picture {
  readonly topology: Topology;
  readonly guarded: readonly GuardedNetwork[];
  readonly services: readonly ServicePolicy[];
  /** Ids of containers that may reach nothing. */
  readonly quarantined: readonly string[];
}

export class AskerIndex {
  readonly #bySubnet = new Map<number, Map<IpAddress, Known>>();
  readonly #byAddress = new Map<IpAddress, Container>();
  readonly #knowledge: Knowledge;
  readonly #services: ReadonlyMap<string, readonly EntryList[]>;
  readonly #policies = new Map<string, Policy>();
  readonly #quarantined: ReadonlySet<string>;
  /** The containers with lists of their own: whoever is not known may be one of them. */
  readonly #listed: readonly { readonly container: Container; readonly takes: boolean }[];

  readonly #compile: (list: EntryList) => CompiledList;

  /** `compile` may remember what it compiled before: lists are many, and pictures come often. */
  constructor(
    { topology, guarded, services, quarantined }: Picture,
    compile: (list: EntryList) => CompiledList = compileList,
    knowledge: Knowledge = new Knowledge(topology.containers),
  ) {
    this.#compile = compile;
    this.#knowledge = knowledge;
    this.#quarantined = new Set(quarantined);
    const guardedById = new Map(guarded.map((network) => [network.id, network]));
    for (const network of topology.networks) {
      const known = { network, guarded: guardedById.get(network.id) };
      for (const subnet of network.subnets) this.#addSubnet(subnet, known);
    }
    for (const container of topology.containers) {
      for (const address of addressesOf(container)) this.#byAddress.set(address, container);
    }
    this.#services = new Map(services.map((service) => [service.containerId, service.lists]));
    this.#listed = topology.containers.flatMap((container) => {
      const lists = this.#services.get(container.id) ?? [];
      return lists.length === 0 ? [] : [{ container, takes: lists.some(takesAway) }];
    });
  }

  /** Where somebody with all of these addresses stands. One guarded network makes it guarded, on every network. */
  standingOf(
    addresses: readonly IpAddress[],
    asker: Asker = { sandbox: undefined, sinceMs: Number.NEGATIVE_INFINITY, addresses },
  ): Standing {
    const found = addresses.map((address) => ({ address, known: this.#find(address) }));
    const container = this.#knowledge.whoIs(asker);
    const strays = found.filter(({ known }) => known?.guarded === undefined).map(({ address }) => address);
    const memberships = new Map<string, Membership>();
    for (const { address, known } of found) {
      if (known?.guarded === undefined) continue;
      const { id, name, audit, dns } = known.guarded;
      const cutOff = container !== undefined && this.#quarantined.has(container.id);
      memberships.set(id, {
        networkId: id,
        networkName: name,
        policy: this.#policyOf(known.guarded, container),
        audit: audit && !cutOff,
        dns,
        addresses: [...(memberships.get(id)?.addresses ?? []), address],
      });
    }
    if (memberships.size > 0) {
      const all = [...memberships.values()].map((membership) => ({
        ...membership,
        addresses: [...membership.addresses, ...strays],
      }));
      return { kind: "guarded", memberships: all, ...this.#doubtsAbout(asker) };
    }
    if (found.length === 0 || found.some(({ known }) => known === undefined)) return { kind: "unknown" };
    return { kind: "open" };
  }

  /**
   * Where a sandbox stands, by its file name and the addresses that are in it. Once the engine has told what it gave
   * to it, other addresses (a VPN's, those of an engine inside it) open nothing, and only one of a guarded network
   * counts: with NET_ADMIN a container can take off the engine's address and put on any other.
   */
  standingOfSandbox(name: string, addresses: readonly IpAddress[]): Standing {
    const asker = this.#knowledge.ofSandbox(name, addresses);
    const container = this.#knowledge.whoIs(asker);
    const given = container === undefined ? [] : addressesOf(container);
    const standing = this.standingOf(given, asker);
    if (standing.kind === "unknown") return this.standingOf(addresses, asker);
    if (standing.kind === "guarded") return standing;
    // A guarded network that it has just been connected to, and that the engine has not told of yet.
    const joined = addresses.filter((address) => this.#find(address)?.guarded !== undefined);
    return joined.length === 0 ? standing : this.standingOf([...given, ...joined], asker);
  }

  /**
   * False when the engine gave the address to another container, which has it still: one with NET_ADMIN can put on any.
   * @param hasStill whether a sandbox has an address now; the engine tells late that a container is gone
   */
  mayOwn(
    sandbox: string,
    address: IpAddress,
    hasStill: (sandbox: string, address: IpAddress) => boolean,
  ): boolean {
    const holder = this.#byAddress.get(address)?.sandbox;
    return holder === undefined || holder === sandbox || !hasStill(holder, address);
  }

  /** Ids of the containers with lists of their own. */
  concerned(): readonly string[] {
    return this.#listed.map(({ container }) => container.id);
  }

  /** Ids of the networks that these addresses are on. */
  networksOf(addresses: readonly IpAddress[]): string[] {
    return addresses.flatMap((address) => this.#find(address)?.network.id ?? []);
  }

  /**
   * Where a guarded sandbox with these addresses must be guarded beside its guarded networks: by each address on each
   * bridge of its other networks, as it can send from any of them on any, and on its own.
   */
  straysOf(addresses: readonly IpAddress[]): { address: IpAddress; bridge: string }[] {
    const found = addresses.flatMap((address) => {
      const known = this.#find(address);
      return known === undefined ? [] : [{ address, known }];
    });
    const outside = found.flatMap(({ known }) => (known.guarded === undefined ? known : []));
    const bridges = new Set(outside.flatMap(({ network }) => network.bridge ?? []));
    if (bridges.size === 0) return [];
    // To the kernel an address by itself on one bridge hides its subnet on another: its own comes first.
    return found.flatMap(({ address, known }) =>
      [...new Set([...(known.network.bridge === undefined ? [] : [known.network.bridge]), ...bridges])].map(
        (bridge) => ({ address, bridge }),
      ),
    );
  }

  /**
   * Stands for all that is decided about this address: another key, another policy. Equal from one run of the daemon
   * to the next. Undefined while it is not known which container has it: a label of its own may be missing yet.
   */
  policyKey(asker: IpAddress): string | undefined {
    const standing = this.standingOfSource(asker);
    if (standing.kind === "unknown" || this.#knowledge.whoIs(this.#knowledge.ofSource(asker)) === undefined)
      return undefined;
    if (standing.kind === "open") return "open";
    return standing.memberships
      .filter(({ addresses }) => addresses.includes(asker))
      .map(({ policy, audit }) =>
        [audit ? "audit" : "enforce", ...policy.lists.map(({ digest }) => digest)].join(" "),
      )
      .toSorted()
      .join(",");
  }

  /** Where the sender of a packet stands: the address with, where the engine told us, its container's other ones. */
  standingOfSource(source: IpAddress): Standing {
    const asker = this.#knowledge.ofSource(source);
    const container = this.#knowledge.whoIs(asker);
    const given = container === undefined ? asker.addresses : addressesOf(container);
    // A floating address is the container's too.
    return this.standingOf(given.includes(source) ? given : [...given, source], asker);
  }

  /** What the lists of the containers that it may be could change. */
  #doubtsAbout(asker: Asker): Pick<GuardedStanding, "settled" | "mayLose"> {
    if (this.#knowledge.whoIs(asker) !== undefined) return { settled: true, mayLose: false };
    if (this.#knowledge.isUnheard(asker)) return { settled: false, mayLose: true };
    const its = this.#listed.filter(({ container }) => this.#knowledge.mayBe(asker, container));
    return { settled: its.length === 0, mayLose: its.some(({ takes }) => takes) };
  }

  /** What the network allows, and what the container's own lists add to it; compiled when first asked for. */
  #policyOf({ id, name, lists }: GuardedNetwork, container: Container | undefined): Policy {
    if (container !== undefined && this.#quarantined.has(container.id)) return { network: name, lists: [] };
    const own = container === undefined ? undefined : this.#services.get(container.id);
    const key = own === undefined ? id : `${id} ${container?.id}`;
    const compiled = this.#policies.get(key) ?? {
      network: name,
      lists: [...lists, ...(own ?? [])].map(this.#compile),
    };
    this.#policies.set(key, compiled);
    return compiled;
  }

  #addSubnet(subnet: Prefix, known: Known): void {
    const bits = familyOf(subnet.address) === 4 ? 0 : 1000;
    const table = this.#bySubnet.get(bits + subnet.length) ?? new Map<IpAddress, Known>();
    this.#bySubnet.set(bits + subnet.length, table);
    // Where two networks claim one subnet, the guarded one wins: wrong in that direction only denies.
    if (known.guarded !== undefined || !table.has(subnet.address)) table.set(subnet.address, known);
  }

  #find(address: IpAddress): Known | undefined {
    const family = familyOf(address);
    for (const [key, table] of this.#bySubnet) {
      if ((key >= 1000 ? 6 : 4) !== family) continue;
      const known = table.get(networkAddress(address, key % 1000));
      if (known !== undefined) return known;
    }
    return undefined;
  }
}

/** What one membership says of a name. */
export interface Decided {
  readonly membership: Membership;
  readonly decision: Decision;
}

/** What each membership says of a name, in their order. */
export function decideForEach(
  memberships: readonly Membership[],
  name: string,
  nowMs: number,
): readonly Decided[] {
  return memberships.map((membership) => ({
    membership,
    decision: decideName(membership.policy, name, nowMs),
  }));
}

/** What all memberships together say: a name is allowed when one of them allows it. */
export function joinDecisions(decided: readonly Decided[]): Decision {
  const allowed = decided.map(({ decision }) => decision).filter((decision) => decision.allowed);
  if (allowed.length === 0) return decided[0]?.decision ?? { allowed: false, network: "", by: [] };
  const ends = allowed.map(({ endsAtMs }) => endsAtMs);
  return {
    allowed: true,
    services: allowed.flatMap((decision) => decision.services),
    exact: allowed.some((decision) => decision.exact),
    terms: allowed.flatMap((decision) => decision.terms),
    endsAtMs: ends.includes(undefined) ? undefined : Math.max(...ends.map((end) => end ?? 0)),
    by: allowed.flatMap((decision) => decision.by),
  };
}

function takesAway({ entries, closes }: EntryList): boolean {
  return closes === true || entries.some(({ negated }) => negated);
}
