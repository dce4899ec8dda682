// Who asks: the guarded networks that a container is on, with the policy of each. The bridges of its ports, which it
// cannot choose, tell which networks it is on; its addresses tell which container it is within a network. Rebuilt from
// every picture of the engine; a look-up by address is one map probe for each distinct prefix length.

import { withoutGrants } from "../labels/grants.ts";
import type { IpAddress } from "../model/address.ts";
import type { Picture } from "../model/picture.ts";
import { byWayOut, type WayOut } from "../model/topology.ts";
import { type CompiledList, compileList, type EntryList } from "../policy/entry-list.ts";
import { AskerPolicies } from "./index-of-askers/asker-policies.ts";
import {
  type Given,
  isOn,
  KnownNetworks,
  type NetworkOnBridge,
  type Placed,
} from "./index-of-askers/known-networks.ts";
import { type Asker, addressesOf, Knowledge } from "./knowledge.ts";
import { type Membership, policyKeyAt, type Standing } from "./standing.ts";

/** Addresses beside the engine's own that a container may send from: a few, as a floating address needs. */
const extraSenders = 8;

export class AskerIndex {
  readonly #networks: KnownNetworks;
  readonly #policies: AskerPolicies;
  readonly #knowledge: Knowledge;

  /** `compile` may remember what it compiled before: lists are many, and pictures come often. */
  constructor(
    picture: Picture,
    compile: (list: EntryList) => CompiledList = compileList,
    knowledge: Knowledge = new Knowledge(picture),
  ) {
    this.#networks = new KnownNetworks(picture);
    this.#policies = new AskerPolicies(picture, compile);
    this.#knowledge = knowledge;
  }

  /** Where a container with all of these addresses stands. One guarded network makes it guarded, on every network. */
  standingOfAddresses(
    addresses: readonly IpAddress[],
    asker: Asker = { sandbox: undefined, sinceMs: Number.NEGATIVE_INFINITY, addresses },
  ): Standing {
    const container = this.#knowledge.whoIs(asker);
    const places = container === undefined ? [] : this.#networks.placesOf(container);
    return this.#standingAt(
      addresses.map(
        (address) => places.find((place) => place.address === address) ?? this.#networks.placeOf(address),
      ),
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
    const given = container === undefined ? [] : this.#networks.placesOf(container);
    const on = [...new Set(bridges)].map((bridge) => this.#networks.on(bridge));
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
    const found = addresses.map((address) => this.#networks.placeOf(address));
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
      const cutOff = this.#policies.isCutOff(container);
      memberships.set(id, {
        networkId: id,
        networkName: name,
        policy: this.#policies.of(known.guarded, container),
        labels: cutOff ? withoutGrants(labels) : labels,
        internal: known.network.internal,
        gateways,
        addresses: [...(memberships.get(id)?.addresses ?? []), address],
      });
    }
    if (memberships.size > 0) {
      const wayOf = ({ networkId, networkName }: Membership): WayOut =>
        this.#networks.wayOutBy(networkId, networkName, container);
      const ordered = [...memberships.values()].sort((a, b) => byWayOut(wayOf(a), wayOf(b)));
      const all = ordered.map((membership) => ({
        ...membership,
        addresses: [...membership.addresses, ...unguarded],
      }));
      return { kind: "guarded", memberships: all, ...this.#policies.certaintyAbout(asker, this.#knowledge) };
    }
    if (places.length === 0 || places.some(({ known }) => known === undefined)) return { kind: "unknown" };
    return { kind: "open" };
  }

  /** What the rules must know of a port on this bridge; undefined where nobody has heard of the bridge. */
  networkOn(bridge: string): NetworkOnBridge | undefined {
    return this.#networks.rulesOf(bridge);
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
    const on = bridges.flatMap((bridge) => this.#networks.on(bridge)?.network ?? []);
    const extra = asker.addresses.filter((address) => {
      if (given.includes(address)) return false;
      return on.length === 0 || this.#networks.isNarrowest(address, on);
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
    return this.#networks.isBlank;
  }

  /** Whom the engine gave an address to; it may be gone by now. */
  givenTo(address: IpAddress): Given | undefined {
    return this.#networks.givenTo(address);
  }

  /** Ids of the containers with lists of their own. */
  concerned(): readonly string[] {
    return this.#policies.listed();
  }

  /** Ids of the networks of these bridges. */
  networksOn(bridges: readonly string[]): string[] {
    return bridges.flatMap((bridge) => this.#networks.on(bridge)?.network.id ?? []);
  }

  /** Which of these bridges nobody has heard of; none before the first picture. */
  strangersAmong(bridges: readonly string[]): string[] {
    return this.isBlank ? [] : bridges.filter((bridge) => this.#networks.on(bridge) === undefined);
  }

  /**
   * Where a guarded sandbox with these addresses must be guarded beside its guarded networks: by each address on each
   * of its other bridges, as it can send from any of them on any, and on its own.
   */
  guardedAddressesOf(
    addresses: readonly IpAddress[],
    bridges: readonly string[],
  ): { address: IpAddress; bridge: string }[] {
    return this.#networks.guardedAddressesOf(addresses, bridges);
  }

  /**
   * Stands for all that is decided about this address: another key, another policy. Equal from one run of the daemon
   * to the next. Undefined while it is not known which container has it: a label of its own may be missing yet.
   */
  policyKey(asker: IpAddress): string | undefined {
    const standing = this.standingOfSource(asker);
    if (standing.kind === "unknown" || this.#knowledge.whoIs(this.#knowledge.ofSource(asker)) === undefined)
      return undefined;
    return policyKeyAt(standing, asker);
  }

  /** Where the sender of a packet stands: the address with, where the engine told us, its container's other ones. */
  standingOfSource(source: IpAddress): Standing {
    const asker = this.#knowledge.ofSource(source);
    const container = this.#knowledge.whoIs(asker);
    const given = container === undefined ? asker.addresses : addressesOf(container);
    // A floating address is the container's too.
    return this.standingOfAddresses(given.includes(source) ? given : [...given, source], asker);
  }
}
