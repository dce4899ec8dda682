// The networks that the engine has told of, and what is on them: a bridge, a subnet, the addresses of containers.

import { type IpAddress, type Prefix, prefixContains } from "../../model/address.ts";
import type { GuardedNetwork } from "../../model/guarded-network.ts";
import type { Picture } from "../../model/picture.ts";
import { PrefixTable } from "../../model/prefix-table.ts";
import { type Container, familiesOf, type Network, type WayOut } from "../../model/topology.ts";

/** A network of the engine's. */
export interface Known {
  readonly network: Network;
  /** Undefined for a network that is not guarded. */
  readonly guarded: GuardedNetwork | undefined;
}

/** An address, and the network that it is on. */
export interface Placed {
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

/** The networks of one picture of the engine. */
export class KnownNetworks {
  readonly #byId = new Map<string, Known>();
  readonly #byBridge = new Map<string, Known>();
  readonly #bySubnet = new PrefixTable<Known>();
  readonly #given = new Map<IpAddress, Given>();
  readonly #enslaved: ReadonlySet<string>;

  constructor({ topology, guarded, enslaved }: Pick<Picture, "topology" | "guarded" | "enslaved">) {
    this.#enslaved = new Set(enslaved);
    const guardedById = new Map(guarded.map((network) => [network.id, network]));
    for (const network of topology.networks) {
      const known = { network, guarded: guardedById.get(network.id) };
      this.#byId.set(network.id, known);
      if (network.bridge !== undefined) this.#byBridge.set(network.bridge, known);
      // A driver without addresses of its own tells of a pool of everything.
      for (const subnet of network.subnets) if (subnet.length > 0) this.#bySubnet.add(subnet, known);
    }
    for (const container of topology.containers) {
      for (const { address, known } of this.placesOf(container)) {
        // Two networks may give out one address; from the guarded one wrong only denies.
        if (known?.guarded !== undefined || !this.#given.has(address))
          this.#given.set(address, { sandbox: container.sandbox, bridge: known?.network.bridge });
      }
    }
  }

  /** Whether the engine has told of nothing yet. */
  get isBlank(): boolean {
    return this.#byId.size === 0;
  }

  /** The network of a bridge; undefined where nobody has heard of the bridge. */
  on(bridge: string): Known | undefined {
    return this.#byBridge.get(bridge);
  }

  /** Whether the address is on one of these networks, and in no other's narrower range: there it would have what is open. */
  isNarrowest(address: IpAddress, on: readonly Network[]): boolean {
    const narrowest = this.#bySubnet.longest(address).map(({ network }) => network);
    return on.some((network) => isOn(address, network) && narrowest.includes(network));
  }

  /** Whom the engine gave an address to; it may be gone by now. */
  givenTo(address: IpAddress): Given | undefined {
    return this.#given.get(address);
  }

  /** The addresses that the engine gave to a container. */
  placesOf(container: Container): Placed[] {
    return container.endpoints.flatMap(({ networkId, addresses }) =>
      addresses.map((address) => ({ address, known: this.#byId.get(networkId) })),
    );
  }

  /** By its subnet, the narrowest first. Where two networks claim one, the guarded one wins: wrong only denies. */
  placeOf(address: IpAddress): Placed {
    const found = this.#bySubnet.longest(address);
    return { address, known: found.find(({ guarded }) => guarded !== undefined) ?? found[0] };
  }

  /** What decides when a container leaves by this network. */
  wayOutBy(id: string, name: string, container: Container | undefined): WayOut {
    const endpoint = container?.endpoints.find((each) => each.networkId === id);
    const { internal = false, subnets = [] } = this.#byId.get(id)?.network ?? {};
    return { internal, families: familiesOf({ subnets }), name, gatewayPriority: endpoint?.gatewayPriority };
  }

  /** What the rules must know of a port on this bridge; undefined where nobody has heard of the bridge. */
  rulesOf(bridge: string): NetworkOnBridge | undefined {
    const known = this.#byBridge.get(bridge);
    const isEnslaved = this.#enslaved.has(bridge);
    return known && { guarded: known.guarded !== undefined, isEnslaved, subnets: known.network.subnets };
  }

  /** By each of these addresses on each of the bridges that are not of guarded networks, and on its own. */
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
}

/** Whether a network may give an address to a container. */
export function isOn(address: IpAddress, { subnets, gateways }: Network): boolean {
  return !gateways.includes(address) && subnets.some((subnet) => prefixContains(subnet, address));
}
