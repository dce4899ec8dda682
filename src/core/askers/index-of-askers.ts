// Who asks: the guarded networks that a container is on, with the policy of each. The bridges of its ports, which it
// cannot choose, tell which networks it is on; its addresses tell which container it is within a network. Rebuilt from
// every picture of the engine; a look-up by address is one map probe for each distinct prefix length.

import { grantKeyOf, withoutGrants } from "../labels/grants.ts";
import type { NetworkLabels } from "../labels/table.ts";
import { type IpAddress, type Prefix, prefixContains } from "../model/address.ts";
import type { GuardedNetwork } from "../model/guarded-network.ts";
import type { Picture } from "../model/picture.ts";
import { PrefixTable } from "../model/prefix-table.ts";
import { byWayOut, type Container, familiesOf, type Network, type WayOut } from "../model/topology.ts";
import { type Decision, decideName, type Policy } from "../policy/decide.ts";
import { type CompiledList, compileList, type EntryList } from "../policy/entry-list.ts";
import { type Asker, addressesOf, Knowledge } from "./knowledge.ts";

export interface Membership {
  readonly networkId: string;
  readonly networkName: string;
  readonly policy: Policy;
  /** The network's; in quarantine without what they grant. */
  readonly labels: NetworkLabels;
  /** Whether nothing leaves by the network. */
  readonly internal: boolean;
  /** The host's addresses on this network. */
  readonly gateways: readonly IpAddress[];
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
  /** No port yet, no address, or a bridge that we have not heard of. */
  | { readonly kind: "unknown" };

/** Addresses beside the engine's own that a container may send from: a few, as a floating address needs. */
const extraSenders = 8;

interface Known {
  readonly network: Network;
  /** Undefined for a network that is not guarded. */
  readonly guarded: GuardedNetwork | undefined;
}

/** An address, and the network that it is on. */
interface Placed {
  readonly address: IpAddress;
  readonly known: Known | undefined;
}

/** Whom an address was given to. */
export interface Given {
  /** Of the container; undefined where the engine has told of none of its own. */
  readonly sandbox: string | undefined;
  /** Of the network; undefined for one without. */
  readonly bridge: string | undefined;
}

/** What the rules of a port must know of the network there. */
export interface NetworkOnBridge {
  readonly guarded: boolean;
  /** Whether the bridge is part of another device, so that nothing may pass. */
  readonly isEnslaved: boolean;
  readonly subnets: readonly Prefix[];
}

export class AskerIndex {
  readonly #bySubnet = new PrefixTable<Known>();
  readonly #byBridge = new Map<string, Known>();
  readonly #byId = new Map<string, Known>();
  readonly #given = new Map<IpAddress, Given>();
  readonly #knowledge: Knowledge;
  readonly #services: ReadonlyMap<string, readonly EntryList[]>;
  readonly #policies = new Map<string, Policy>();
  readonly #quarantined: ReadonlySet<string>;
  readonly #enslaved: ReadonlySet<string>;
  /** The containers with lists of their own: a container that is not known may be one of them. */
  readonly #listed: readonly { readonly container: Container; readonly takes: boolean }[];

  readonly #compile: (list: EntryList) => CompiledList;

  /** `compile` may remember what it compiled before: lists are many, and pictures come often. */
  constructor(
    picture: Picture,
    compile: (list: EntryList) => CompiledList = compileList,
    knowledge: Knowledge = new Knowledge(picture),
  ) {
    const { topology, guarded, services, quarantined, enslaved } = picture;
    this.#enslaved = new Set(enslaved);
    this.#compile = compile;
    this.#knowledge = knowledge;
    this.#quarantined = new Set(quarantined);
    const guardedById = new Map(guarded.map((network) => [network.id, network]));
    for (const network of topology.networks) {
      const known = { network, guarded: guardedById.get(network.id) };
      this.#byId.set(network.id, known);
      if (network.bridge !== undefined) this.#byBridge.set(network.bridge, known);
      // A driver without addresses of its own tells of a pool of everything.
      for (const subnet of network.subnets) if (subnet.length > 0) this.#bySubnet.add(subnet, known);
    }
    for (const container of topology.containers) {
      for (const { address, known } of this.#placesOf(container)) {
        // Two networks may give out one address; from the guarded one wrong only denies.
        if (known?.guarded !== undefined || !this.#given.has(address))
          this.#given.set(address, { sandbox: container.sandbox, bridge: known?.network.bridge });
      }
    }
    this.#services = new Map(services.map((service) => [service.containerId, service.lists]));
    this.#listed = topology.containers.flatMap((container) => {
      const lists = this.#services.get(container.id) ?? [];
      return lists.length === 0 ? [] : [{ container, takes: lists.some(takesAway) }];
    });
  }

  /** Where a container with all of these addresses stands. One guarded network makes it guarded, on every network. */
  standingOfAddresses(
    addresses: readonly IpAddress[],
    asker: Asker = { sandbox: undefined, sinceMs: Number.NEGATIVE_INFINITY, addresses },
  ): Standing {
    const container = this.#knowledge.whoIs(asker);
    const places = container === undefined ? [] : this.#placesOf(container);
    return this.#standingAt(
      addresses.map((address) => places.find((place) => place.address === address) ?? this.#placeOf(address)),
      asker,
    );
  }

  /**
   * Where a sandbox stands, by its file name, the bridges that its ports are on, and the addresses that are its own. Once
   * the engine has told what it gave to it, other addresses (a VPN's, those of an engine inside it) open nothing but
   * on a guarded network that it has just been connected to.
   */
  standingOfSandbox(name: string, addresses: readonly IpAddress[], bridges: readonly string[]): Standing {
    const asker = this.#knowledge.ofSandbox(name, addresses);
    const container = this.#knowledge.whoIs(asker);
    const given = container === undefined ? [] : this.#placesOf(container);
    const on = [...new Set(bridges)].map((bridge) => this.#byBridge.get(bridge));
    const homes = on.filter((known) => known?.guarded !== undefined);
    const joined = homes.filter((home) => !given.some(({ known }) => known === home));
    const places = [
      ...given,
      ...addresses.flatMap((address): Placed[] => {
        const known = joined.find((home) => home !== undefined && isOn(address, home.network));
        return known === undefined ? [] : [{ address, known }];
      }),
    ];
    if (places.some(({ known }) => known?.guarded !== undefined)) return this.#standingAt(places, asker);
    if (homes.length > 0 || on.includes(undefined)) return { kind: "unknown" };
    if (on.length > 0) return { kind: "open" };
    // On no bridge: by what the engine gave it, or on a network of a kind that has no ports.
    if (given.length > 0) return this.#standingAt(given, asker);
    const found = addresses.map((address) => this.#placeOf(address));
    if (found.some(({ known }) => known?.network.bridge !== undefined)) return { kind: "unknown" };
    return this.#standingAt(found, asker);
  }

  #standingAt(places: readonly Placed[], asker: Asker): Standing {
    const container = this.#knowledge.whoIs(asker);
    const unguarded = places
      .filter(({ known }) => known?.guarded === undefined)
      .map(({ address }) => address);
    const memberships = new Map<string, Membership>();
    for (const { address, known } of places) {
      if (known?.guarded === undefined) continue;
      const { id, name, labels, gateways } = known.guarded;
      const cutOff = container !== undefined && this.#quarantined.has(container.id);
      memberships.set(id, {
        networkId: id,
        networkName: name,
        policy: this.#policyOf(known.guarded, container),
        labels: cutOff ? withoutGrants(labels) : labels,
        internal: known.network.internal,
        gateways,
        addresses: [...(memberships.get(id)?.addresses ?? []), address],
      });
    }
    if (memberships.size > 0) {
      const wayOf = ({ networkId, networkName }: Membership): WayOut => {
        const endpoint = container?.endpoints.find((each) => each.networkId === networkId);
        const { internal = false, subnets = [] } = this.#byId.get(networkId)?.network ?? {};
        const families = familiesOf({ subnets });
        return { internal, families, name: networkName, gatewayPriority: endpoint?.gatewayPriority };
      };
      const ordered = [...memberships.values()].sort((a, b) => byWayOut(wayOf(a), wayOf(b)));
      const all = ordered.map((membership) => ({
        ...membership,
        addresses: [...membership.addresses, ...unguarded],
      }));
      return { kind: "guarded", memberships: all, ...this.#certaintyAbout(asker) };
    }
    if (places.length === 0 || places.some(({ known }) => known === undefined)) return { kind: "unknown" };
    return { kind: "open" };
  }

  /** What the rules must know of a port on this bridge; undefined where nobody has heard of the bridge. */
  networkOn(bridge: string): NetworkOnBridge | undefined {
    const known = this.#byBridge.get(bridge);
    const isEnslaved = this.#enslaved.has(bridge);
    return known && { guarded: known.guarded !== undefined, isEnslaved, subnets: known.network.subnets };
  }

  /**
   * The addresses that a sandbox may send from: those that the engine gave it, and a few that it has beside them on the
   * networks of its bridges. Before the engine has told, as many for each bridge.
   * @param mayClaim whether nobody else has a better right to one
   */
  sendersOf(
    asker: Asker,
    bridges: readonly string[],
    mayClaim: (address: IpAddress) => boolean,
  ): readonly IpAddress[] {
    const container = this.#knowledge.whoIs(asker);
    const given = container === undefined ? [] : addressesOf(container);
    const on = bridges.flatMap((bridge) => this.#byBridge.get(bridge)?.network ?? []);
    const extra = asker.addresses.filter((address) => {
      if (given.includes(address)) return false;
      if (on.length === 0) return true;
      // In another network's narrower range it would have what is open from there.
      const narrowest = this.#bySubnet.longest(address).map(({ network }) => network);
      return on.some((network) => isOn(address, network) && narrowest.includes(network));
    });
    const most = extraSenders * (container === undefined ? Math.max(1, bridges.length) : 1);
    return [...given.filter(mayClaim), ...extra.filter(mayClaim).slice(0, most)];
  }

  /** The sandbox of a container, by its id; undefined where it has none of its own. */
  sandboxOf(containerId: string): string | undefined {
    return this.#knowledge.sandboxOf(containerId);
  }

  /** Whether the engine has told of nothing yet. */
  get isBlank(): boolean {
    return this.#byId.size === 0;
  }

  /** Whom the engine gave an address to; it may be gone by now. */
  givenTo(address: IpAddress): Given | undefined {
    return this.#given.get(address);
  }

  /** Ids of the containers with lists of their own. */
  concerned(): readonly string[] {
    return this.#listed.map(({ container }) => container.id);
  }

  /** Ids of the networks of these bridges. */
  networksOn(bridges: readonly string[]): string[] {
    return bridges.flatMap((bridge) => this.#byBridge.get(bridge)?.network.id ?? []);
  }

  /** Which of these bridges nobody has heard of; none before the first picture. */
  strangersAmong(bridges: readonly string[]): string[] {
    return this.isBlank ? [] : bridges.filter((bridge) => !this.#byBridge.has(bridge));
  }

  /**
   * Where a guarded sandbox with these addresses must be guarded beside its guarded networks: by each address on each
   * of its other bridges, as it can send from any of them on any, and on its own.
   */
  guardedAddressesOf(
    addresses: readonly IpAddress[],
    bridges: readonly string[],
  ): { address: IpAddress; bridge: string }[] {
    const others = [...new Set(bridges)].filter(
      (bridge) => this.#byBridge.get(bridge)?.guarded === undefined,
    );
    if (others.length === 0) return [];
    // To the kernel an address by itself on one bridge hides its subnet on another: its own comes first.
    return addresses.flatMap((address) => {
      const own = bridges.filter((bridge) => {
        const known = this.#byBridge.get(bridge);
        return known !== undefined && isOn(address, known.network);
      });
      return [...new Set([...own, ...others])].map((bridge) => ({ address, bridge }));
    });
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
      .map(({ policy, labels }) =>
        [grantKeyOf(labels), ...policy.lists.map(({ digest }) => digest)].join(" "),
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
    return this.standingOfAddresses(given.includes(source) ? given : [...given, source], asker);
  }

  /** What the lists of the containers that it may be could change. */
  #certaintyAbout(asker: Asker): Pick<GuardedStanding, "settled" | "mayLose"> {
    if (this.#knowledge.whoIs(asker) !== undefined) return { settled: true, mayLose: false };
    if (this.#knowledge.isUnheard(asker)) return { settled: false, mayLose: true };
    const its = this.#listed.filter(({ container }) => this.#knowledge.mayBe(asker, container));
    return { settled: its.length === 0, mayLose: its.some(({ takes }) => takes) };
  }

  /** What the network allows, and what the container's own lists add to it; compiled when first asked for. */
  #policyOf({ id, name, lists }: GuardedNetwork, container: Container | undefined): Policy {
    if (container !== undefined && this.#quarantined.has(container.id))
      return { network: name, lists: [], isQuarantined: true };
    const own = container === undefined ? undefined : this.#services.get(container.id);
    const key = own === undefined ? id : `${id} ${container?.id}`;
    const compiled = this.#policies.get(key) ?? {
      network: name,
      lists: [...lists, ...(own ?? [])].map(this.#compile),
    };
    this.#policies.set(key, compiled);
    return compiled;
  }

  #placesOf(container: Container): Placed[] {
    return container.endpoints.flatMap(({ networkId, addresses }) =>
      addresses.map((address) => ({ address, known: this.#byId.get(networkId) })),
    );
  }

  /** By its subnet, the narrowest first. Where two networks claim one, the guarded one wins: wrong only denies. */
  #placeOf(address: IpAddress): Placed {
    const found = this.#bySubnet.longest(address);
    return { address, known: found.find(({ guarded }) => guarded !== undefined) ?? found[0] };
  }
}

/** Whether a network may give an address to a container. */
function isOn(address: IpAddress, { subnets, gateways }: Network): boolean {
  return !gateways.includes(address) && subnets.some((subnet) => prefixContains(subnet, address));
}

/** What one membership says of a name. */
export interface Decided {
  readonly membership: Membership;
  /** The membership's. */
  readonly policy: Policy;
  readonly decision: Decision;
}

/** What each membership says of a name, in their order. */
export function decideForEach(
  memberships: readonly Membership[],
  name: string,
  nowMs: number,
): readonly Decided[] {
  return memberships.map((membership) => {
    const { policy } = membership;
    return { membership, policy, decision: decideName(policy, name, nowMs) };
  });
}

/** What all memberships together say: a name is allowed when one of them allows it, else denied by who names it. */
export function joinDecisions(decided: readonly Pick<Decided, "decision">[]): Decision {
  const [only] = decided;
  if (decided.length === 1 && only !== undefined) return only.decision;
  const allowed = decided.map(({ decision }) => decision).filter((decision) => decision.allowed);
  if (allowed.length === 0) {
    const taken = decided.find(({ decision }) => decision.by.length > 0);
    return (taken ?? decided[0])?.decision ?? { allowed: false, network: "", by: [] };
  }
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
