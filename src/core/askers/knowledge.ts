// The one rule for what is not known: which container a sandbox may belong to, and when that is certain. While the
// engine starts a container, or for as long as its shim hangs, it keeps readers of that container waiting; but it
// returns the list of containers, with their labels, at once. So for a sandbox that the engine has not reported we know
//
// - that its container is in the list, if the list began after the sandbox appeared: a container is created before its
//   sandbox. Until there is such a list, it may be a container with any label;
// - that it is not a container that was read after the sandbox appeared and is elsewhere, nor one whose own sandbox is
//   in use, nor, in a list of that time, one that has other addresses.
//
// Any remaining container may be in the sandbox. What one of them would be denied is not granted, and what one of them
// would be allowed is not denied; both wait, or fail.

import { networkHolder } from "../classify/containers/holder.ts";
import type { IpAddress } from "../model/address.ts";
import type { Container, Readings, Topology } from "../model/topology.ts";

/** What asks, as far as it is known. */
export interface Asker {
  /** Undefined where nothing is known of sandboxes, or of who has the address. */
  readonly sandbox: string | undefined;
  /** Since when it is there at the latest, by the clock of the readings. */
  readonly sinceMs: number;
  readonly addresses: readonly IpAddress[];
}

/** The sandboxes as they are now, whatever the engine says. */
export interface Presence {
  /** Undefined for one that is not there. */
  sinceMs(sandbox: string): number | undefined;
  /** Whether it has an address. */
  isInUse(sandbox: string): boolean;
  addressesOf(sandbox: string): readonly IpAddress[];
  holderOf(address: IpAddress): string | undefined;
  /** Since when a container without a sandbox that we know sends from an address; not for long the same. */
  metAtMs(address: IpAddress): number;
  nowMs(): number;
}

/** For whom there is no capture: the engine's picture is all that is known. */
const pictureOnly: Presence = {
  sinceMs: () => undefined,
  isInUse: () => true,
  addressesOf: () => [],
  holderOf: () => undefined,
  metAtMs: () => 0,
  nowMs: () => 0,
};

/** All that is in a picture has been read, and there is nobody else. */
export const allRead: Readings = { listedAtMs: Number.POSITIVE_INFINITY, readAtMs: new Map() };

/** What of a picture tells who is who. */
interface KnownPicture {
  readonly topology: Pick<Topology, "containers">;
  readonly guarded: readonly { readonly id: string }[];
}

export class Knowledge {
  readonly #bySandbox = new Map<string, Container>();
  readonly #byAddress = new Map<IpAddress, Container>();
  readonly #containers: readonly Container[];
  readonly #readings: () => Readings;
  readonly #presence: Presence;

  /** @param readings as late as the picture at most: what they tell of must be in it */
  constructor(
    { topology: { containers }, guarded }: KnownPicture,
    readings: () => Readings = () => allRead,
    presence: Presence = pictureOnly,
  ) {
    const guardedIds = new Set(guarded.map(({ id }) => id));
    this.#containers = containers;
    this.#readings = readings;
    this.#presence = presence;
    for (const container of containers) {
      for (const { networkId, addresses } of container.endpoints) {
        for (const address of addresses) {
          // Two networks may give out one address; from the guarded one wrong only denies.
          if (guardedIds.has(networkId) || !this.#byAddress.has(address))
            this.#byAddress.set(address, container);
        }
      }
      const { sandbox } = container;
      if (sandbox === undefined || (sharesAnother(container) && this.#bySandbox.has(sandbox))) continue;
      this.#bySandbox.set(sandbox, container);
    }
  }

  ofSandbox(sandbox: string, addresses: readonly IpAddress[]): Asker {
    return { sandbox, sinceMs: this.#presence.sinceMs(sandbox) ?? this.#presence.nowMs(), addresses };
  }

  /** The sender of a packet. */
  ofSource(address: IpAddress): Asker {
    const sandbox = this.#presence.holderOf(address);
    if (sandbox === undefined) {
      const asker = { sandbox, sinceMs: Number.NEGATIVE_INFINITY, addresses: [address] };
      // Since when matters only for a container that nothing has told of.
      if (this.whoIs(asker) !== undefined) return asker;
      return { ...asker, sinceMs: this.#presence.metAtMs(address) };
    }
    // It may have a neighbour's on, too.
    const its = this.#presence.addressesOf(sandbox).filter((on) => this.#presence.holderOf(on) === sandbox);
    return this.ofSandbox(sandbox, its.includes(address) ? its : [address]);
  }

  /** Who it is, if the engine has told. */
  whoIs({ sandbox, addresses }: Asker): Container | undefined {
    if (sandbox !== undefined) return this.#bySandbox.get(sandbox);
    const found = addresses.map((address) => this.#byAddress.get(address)).find((each) => each !== undefined);
    // One that only the list tells of is not told, and one that is gone has left its address to another.
    return found?.sandbox !== undefined && this.#presence.isInUse(found.sandbox) ? found : undefined;
  }

  /** The sandbox of a container, by its id; undefined where it has none of its own, or nobody has told. */
  sandboxOf(containerId: string): string | undefined {
    for (const [sandbox, { id }] of this.#bySandbox) if (id === containerId) return sandbox;
    return undefined;
  }

  /** Whether anything in its sandbox may put frames on a wire by hand, as far as is known. */
  mayForge(asker: Asker): boolean {
    const told = this.whoIs(asker);
    return (
      told?.forgesNothing !== true || this.#hasInside(told, ({ forgesNothing }) => forgesNothing !== true)
    );
  }

  /** Whether a container in its sandbox may make interfaces there, as far as is known. */
  mayMakeInterfaces(asker: Asker): boolean {
    const told = this.whoIs(asker);
    if (told === undefined) return true;
    return this.#hasInside(
      told,
      ({ hazards }) => hazards.includes("net-admin") || hazards.includes("privileged"),
    );
  }

  isTold(sandbox: string): boolean {
    return this.#bySandbox.has(sandbox);
  }

  /** Whether it may be a container that nobody has told of. */
  isUnheard(asker: Asker): boolean {
    return this.whoIs(asker) === undefined && this.#readings().listedAtMs <= asker.sinceMs;
  }

  mayBe(asker: Asker, container: Container): boolean {
    const told = this.whoIs(asker);
    if (told !== undefined) return told.id === container.id;
    if (sharesAnother(container)) return false;
    const { listedAtMs, readAtMs } = this.#readings();
    if ((readAtMs.get(container.id) ?? Number.NEGATIVE_INFINITY) > asker.sinceMs) return false;
    const { sandbox } = container;
    if (sandbox !== undefined) return !this.#presence.isInUse(sandbox);
    const its = addressesOf(container);
    if (its.length === 0 || asker.addresses.length === 0 || listedAtMs <= asker.sinceMs) return true;
    return its.some((address) => asker.addresses.includes(address));
  }

  /** Whether it may be a container whose names are not known: one that nobody has told of, or that is starting. */
  mayBeNamedOtherwise(sandbox: string): boolean {
    if (this.isTold(sandbox)) return false;
    const asker = this.ofSandbox(sandbox, this.#presence.addressesOf(sandbox));
    return this.isUnheard(asker) || this.#containers.some((container) => this.mayBe(asker, container));
  }

  /** Whether it may be in a sandbox by now that the engine has not told of. */
  isAway(container: Container): boolean {
    if (sharesAnother(container)) return false;
    return container.sandbox === undefined || !this.#presence.isInUse(container.sandbox);
  }

  /** Whether some container that uses its sandbox, itself among them, is so. */
  #hasInside(told: Container, isSo: (container: Container) => boolean): boolean {
    return this.#containers.some(
      (container) => isSo(container) && networkHolder(container, this.#containers).id === told.id,
    );
  }
}

/** Whether it can have no sandbox of its own. */
export function sharesAnother({ networkMode }: Pick<Container, "networkMode">): boolean {
  return /^(host$|container:)/.test(networkMode);
}

export function addressesOf(container: Container): readonly IpAddress[] {
  return container.endpoints.flatMap((endpoint) => endpoint.addresses);
}
