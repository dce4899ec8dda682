// Which networks' bridges are the host's own way out. The default route over one may be gone for a while (a gateway's
// container starts again, a lease of DHCP is renewed): guarding the bridge meanwhile would keep it from coming back.

import { allowLabel } from "../labels/table.ts";
import type { Network } from "../model/topology.ts";

export interface WaysOutInput {
  readonly networks: readonly Network[];
  /** Those that are there. */
  readonly bridges: readonly string[];
  /** Those that are guarded: a route over one of them came later. */
  readonly guarded: ReadonlySet<string>;
  /** Whether a bridge carries the host's default route. */
  readonly isWayOut: (bridge: string) => boolean;
}

/** A bridge that was the host's way out stays its own for as long as it and its network last. */
export class WaysOut {
  /** Ids of networks. */
  #known: ReadonlySet<string> = new Set();

  /** The bridges of labelled networks that are the host's way out, or have been. */
  observe({ networks, bridges, guarded, isWayOut }: WaysOutInput): ReadonlySet<string> {
    const there = new Set(bridges);
    const found = networks.flatMap(({ id, bridge, labels }) => {
      if (labels[allowLabel] === undefined || bridge === undefined || !there.has(bridge)) return [];
      const is = this.#known.has(id) || (!guarded.has(bridge) && isWayOut(bridge));
      return is ? [{ id, bridge }] : [];
    });
    this.#known = new Set(found.map(({ id }) => id));
    return new Set(found.map(({ bridge }) => bridge));
  }
}
