// Whose a bridge is that no network of the engine has. The hold is for bridges that the engine is making just now: what
// it does not name in a complete reading of its networks that began late enough is somebody else's, whatever it is
// called, and is let go, and one that carries the host's own way at once. Nobody waits for a reading that never comes:
// without one no other is let go.

/** Where the engine's word stands. */
export interface ClaimsReading {
  /** Bridges of the engine's networks. */
  readonly claimed: ReadonlySet<string>;
  /** When the last complete reading of the networks began; undefined before the first. */
  readonly begunAtMs: number | undefined;
  /** Whether a bridge has a port that is no container's, or the host's default route: the engine makes none like that. */
  readonly isHosts: (bridge: string) => boolean;
}

export interface HeldBridge {
  readonly bridge: string;
  /** Since when it has been seen without a network. */
  readonly sinceMs: number;
}

/** The engine may take this long from the bridge to the network that its list tells of. */
const makingMs = 10_000;

/** The same for one that was there when we came: it was there before whatever the engine makes after that. */
const adoptingMs = 2_000;

/** What Docker calls a bridge unless told otherwise: the engine that we came to may be making it. */
const dockerBridge = /^br-[0-9a-f]{12}$/;

export interface Arrival {
  /** Bridges that were there before the first reading of the engine began. */
  readonly bridges: readonly string[];
  /** Those that were let go before us. */
  readonly open: ReadonlySet<string>;
  /** True when rules of ours stood already: a new bridge has been held since it came. */
  readonly held: boolean;
  readonly nowMs: number;
}

interface Unclaimed {
  readonly sinceMs: number;
  /** A reading that begins now or later decides. */
  readonly dueMs: number;
  free: boolean;
}

/** Times are those of one clock that only goes forward. */
export class BridgeClaims {
  readonly #unclaimed = new Map<string, Unclaimed>();

  constructor({ bridges, open, held, nowMs }: Arrival) {
    for (const bridge of bridges) {
      const waits = held && dockerBridge.test(bridge) && !open.has(bridge);
      const dueMs = waits ? nowMs + adoptingMs : nowMs;
      this.#unclaimed.set(bridge, { sinceMs: nowMs, dueMs, free: false });
    }
  }

  /** Bridges that are somebody else's, of those that there are now. */
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

  /** Those that are held until the engine has been read once more. */
  held(): readonly HeldBridge[] {
    return [...this.#unclaimed]
      .filter(([, { free }]) => !free)
      .map(([bridge, { sinceMs }]) => ({ bridge, sinceMs }));
  }

  /** True when a reading that begins now would let one go. */
  awaitsReading(nowMs: number): boolean {
    return [...this.#unclaimed.values()].some(({ free, dueMs }) => !free && dueMs <= nowMs);
  }
}
