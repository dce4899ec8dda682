// Which container has an address, and under which guarded network what comes from there is booked. A gone container
// stays the holder of its last address until that address passes on, or the network ends: what it did just before it
// went is its own.

import type { IpAddress } from "../model/address.ts";
import {
  byWayOut,
  type Container,
  familiesOf,
  type Network,
  shortId,
  type Topology,
} from "../model/topology.ts";

/** Before any time, also one that is told by a set that outlived its host: the clock begins with the host. */
const beforeWeLooked = Number.NEGATIVE_INFINITY;

export interface Holder {
  readonly containerId: string;
  readonly name: string;
  /** The guarded network of the address; for an address on an open network, the container's first guarded one. */
  readonly networkId: string;
  /** Undefined until the engine has told. */
  readonly sandbox: string | undefined;
  /** When it was first seen to have the address, by the clock that only goes forward; -Infinity if that was before we looked. */
  readonly sinceMs: number;
}

/** An address that a sandbox has got. */
export interface FreshAddress {
  readonly address: IpAddress;
  readonly sandbox: string;
}

export interface Holders {
  /** Takes a complete picture of the engine, with the ids of its guarded networks. */
  learn(topology: Topology, guarded: ReadonlySet<string>, nowMs: number): void;
  /** From now on nobody is known to have the address, unless it is known to be this very sandbox's. */
  passOn(fresh: FreshAddress, nowMs: number): void;
  at(address: IpAddress): Holder | undefined;
  /** By a network's id, or its first digits. */
  isGuarded(networkId: string): boolean;
  /** Since when a guarded network is known, by the clock that only goes forward; -Infinity if that was before we looked. */
  guardedSinceMs(networkId: string): number;
  /** Whether the engine has no such container any more; by its id, or the first digits. */
  isGone(containerId: string): boolean;
}

/** Addresses remembered, of containers that are gone and of those that are not. */
const maxHolders = 16_384;

/** @param ownerAt the sandbox that an earlier run of the daemon knew at an address */
export function createHolders(ownerAt: (address: IpAddress) => string | undefined): Holders {
  /** Least recently present first. */
  const holders = new Map<IpAddress, Holder>();
  let since: ReadonlyMap<string, number> = new Map();
  /** Whole ids, and their first digits. */
  let networks: ReadonlySet<string> = new Set();
  let containers: ReadonlySet<string> = new Set();
  let isFirst = true;
  /** Addresses whose next holder the engine has not told of. */
  const passed = new Map<IpAddress, Passing>();

  /** The engine's list of all has no sandboxes: until the container is read, it is the one that it was. */
  function isSame(before: Holder | undefined, { containerId, sandbox }: Omit<Holder, "sinceMs">): boolean {
    if (before?.containerId !== containerId) return false;
    return before.sandbox === undefined || sandbox === undefined || before.sandbox === sandbox;
  }

  function note(address: IpAddress, found: Omit<Holder, "sinceMs">, nowMs: number): void {
    const before = holders.get(address);
    const owner = isFirst ? ownerAt(address) : undefined;
    const since = isFirst && (owner === undefined || owner === found.sandbox) ? beforeWeLooked : nowMs;
    const passing = passed.get(address);
    if (passing !== undefined && isFormer(passing, found)) return;
    const sinceMs = isSame(before, found) ? before?.sinceMs : passing?.atMs;
    holders.delete(address);
    holders.set(address, { ...found, sinceMs: sinceMs ?? since });
    passed.delete(address);
  }

  return {
    learn(topology, guarded, nowMs) {
      since = new Map([...guarded].map((id) => [id, since.get(id) ?? (isFirst ? beforeWeLooked : nowMs)]));
      networks = withShort(guarded);
      containers = withShort(topology.containers.map(({ id }) => id));
      for (const [address, { networkId }] of holders) if (!guarded.has(networkId)) holders.delete(address);
      // Two networks may give out one address: then the one that is guarded comes last.
      const found = placesOf(topology, guarded).toSorted((a, b) => Number(a.isHome) - Number(b.isHome));
      for (const { address, holder } of found) note(address, holder, nowMs);
      for (const address of holders.keys()) {
        if (holders.size <= maxHolders) break;
        holders.delete(address);
      }
      isFirst = false;
    },
    passOn({ address, sandbox }, nowMs) {
      if (holders.get(address)?.sandbox === sandbox) return;
      passed.set(address, { sandbox, from: holders.get(address)?.containerId, atMs: nowMs });
      holders.delete(address);
      for (const oldest of passed.keys()) {
        if (passed.size <= maxHolders) break;
        passed.delete(oldest);
      }
    },
    at: (address) => holders.get(address),
    isGuarded: (networkId) => networks.has(networkId),
    guardedSinceMs: (networkId) => since.get(networkId) ?? beforeWeLooked,
    isGone: (containerId) => !containers.has(containerId),
  };
}

/** An address that has passed on. */
interface Passing {
  /** Whose it is now. */
  readonly sandbox: string;
  /** The container whose it was. */
  readonly from: string | undefined;
  readonly atMs: number;
}

/** Whether a picture is older than the passing, or may be. */
function isFormer({ sandbox, from }: Passing, found: Omit<Holder, "sinceMs">): boolean {
  return found.sandbox === undefined ? found.containerId === from : found.sandbox !== sandbox;
}

function withShort(ids: Iterable<string>): Set<string> {
  return new Set([...ids].flatMap((id) => [id, shortId(id)]));
}

interface PlacedHolder {
  readonly address: IpAddress;
  readonly holder: Omit<Holder, "sinceMs">;
  /** Whether it is on a guarded network. */
  readonly isHome: boolean;
}

/** The addresses of every container that is on a guarded network. */
function placesOf({ networks, containers }: Topology, guarded: ReadonlySet<string>): PlacedHolder[] {
  const byId = new Map(networks.map((network) => [network.id, network]));
  return containers.flatMap((container) => {
    const [home] = homesOf(container, byId, guarded);
    if (home === undefined) return [];
    const { id: containerId, name, sandbox } = container;
    return container.endpoints.flatMap(({ networkId, addresses }) => {
      const isHome = guarded.has(networkId);
      const holder = { containerId, name, sandbox, networkId: isHome ? networkId : home };
      return addresses.map((address) => ({ address, holder, isHome }));
    });
  });
}

/** Its guarded networks; first the one by which the engine would have it send to the outside. */
function homesOf(
  { endpoints }: Container,
  networks: ReadonlyMap<string, Network>,
  guarded: ReadonlySet<string>,
): string[] {
  const homes = endpoints.flatMap(({ networkId, gatewayPriority }) => {
    if (!guarded.has(networkId)) return [];
    const { internal = false, name = "", subnets = [] } = networks.get(networkId) ?? {};
    return [{ id: networkId, internal, name, gatewayPriority, families: familiesOf({ subnets }) }];
  });
  return homes.toSorted(byWayOut).map(({ id }) => id);
}
