// Who owns a bridge that no network of the engine claims. The hold is meant for bridges that the engine is just creating.
// A bridge that a complete reading of its networks does not name, if the reading began late enough, belongs to other
// software, whatever its name, and is released. A bridge with the host's own way out is released at once, and so is a device
// that is no bridge. If no reading ever completes, no other bridge is released.

/** What the engine's last reading says. */
export interface ClaimsReading {
  /** Bridges of the engine's networks. */
  readonly claimed: ReadonlySet<string>;
  /** When the last complete reading of the networks began; undefined before the first. */
  readonly begunAtMs: number | undefined;
  /** Whether it has a port of no container, or the host's default route, or is no bridge: the engine creates no such. */
  readonly isHosts: (bridge: string) => boolean;
}

export interface HeldBridge {
  readonly bridge: string;
  /** When it was first seen without a network. */
  readonly sinceMs: number;
}

/** The engine may take this long from creating a bridge to listing its network. */
const makingMs = 10_000;

/** The same for a bridge that was there when we started, and so before anything that the engine creates later. */
const adoptingMs = 2_000;

/** Docker's default name for a bridge: at our start, the engine may be just creating one. */
const dockerBridge = /^br-[0-9a-f]{12}$/;

export interface BridgeArrival {
  /** Bridges that were there before the first reading of the engine began. */
  readonly bridges: readonly string[];
  /** Bridges that an earlier run released. */
  readonly open: ReadonlySet<string>;
  /** True if our rules were already in place: each new bridge has been held since its creation. */
  readonly held: boolean;
  readonly nowMs: number;
}

interface Unclaimed {
  readonly sinceMs: number;
  /** A reading that begins at this time or later decides. */
  readonly dueMs: number;
  free: boolean;
}

/** Times are those of one clock that only goes forward. */
export class BridgeClaims {
  readonly #unclaimed = new Map<string, Unclaimed>();

  constructor({ bridges, open, held, nowMs }: BridgeArrival) {
    for (const bridge of bridges) {
      const waits = held && dockerBridge.test(bridge) && !open.has(bridge);
      const dueMs = waits ? nowMs + adoptingMs : nowMs;
      this.#unclaimed.set(bridge, { sinceMs: nowMs, dueMs, free: false });
    }
  }

  /** Those of the present bridges that belong to other software. */
  observe(
    bridges: readonly string[],
    { claimed, begunAtMs, isHosts }: ClaimsReading,
    nowMs: number,
  ): ReadonlySet<string> {
    const there = new Set(bridges);
    for (const bridge of this.#unclaimed.keys()) {
      if (claimed.has(bridge) || !there.has(bridge)) this.#unclaimed.delete(bridge);
    }
    for (const bridge of there) {
      if (claimed.has(bridge)) continue;
      const known = this.#unclaimed.get(bridge) ?? { sinceMs: nowMs, dueMs: nowMs + makingMs, free: false };
      known.free ||= (begunAtMs !== undefined && begunAtMs >= known.dueMs) || isHosts(bridge);
      this.#unclaimed.set(bridge, known);
    }
    return new Set([...this.#unclaimed].filter(([, { free }]) => free).map(([bridge]) => bridge));
  }

  /** The bridges that are held until the engine has been read once more. */
  held(): readonly HeldBridge[] {
    return [...this.#unclaimed]
      .filter(([, { free }]) => !free)
      .map(([bridge, { sinceMs }]) => ({ bridge, sinceMs }));
  }

  /** True if a reading that begins now would release a bridge. */
  awaitsReading(nowMs: number): boolean {
    return [...this.#unclaimed.values()].some(({ free, dueMs }) => !free && dueMs <= nowMs);
  }
}
