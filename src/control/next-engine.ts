// An engine that was started anew after a crash, without live-restore, ends the containers that its predecessor left, us
// among them, and starts them again before it answers anybody. What it asks for those that come before us leaves past
// the wall, unless we see to it while it ends us.

import { engineHoldTables, isEngineHeld, renderEngineHold } from "../core/firewall/engine-hold.ts";
import { chainNames, setNames } from "../core/firewall/names.ts";
import { isInForce } from "../core/model/state.ts";
import { execBesideEngine, readEngineGroup } from "../edge/engine/group.ts";
import type { Firewall } from "../edge/kernel/firewall.ts";
import { stayAwakeIfAdopted } from "../edge/kernel/flows/engine-queue.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { type Backend, restoreCommand } from "../edge/kernel/iptables/iptables.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** How long its questions are held when no daemon comes back; a busy host takes 45 s to start one. */
const heldSeconds = 120;

/** What is held so does not end before somebody who starts has read the engine. */
export function keepHeld(sets: KernelSets): void {
  stayAwakeIfAdopted(sets, heldSeconds);
}

export interface NextEngine {
  /** The engine that there is now is the one that we follow. */
  isKnown(): void;
  /** We have lost the one that we follow. */
  isAwaited(): void;
  /** Whether we have. */
  readonly isLost: boolean;
  /**
   * To be called when somebody ends us: where that is an engine that came since we lost ours, what it asks is held.
   * @returns whether it is
   * @throws DockerwallError what kept it from that
   */
  hold(): Promise<boolean>;
  /** To be called when nobody else says any more that we are awake: the hold ends by itself. */
  leave(): void;
}

export interface NextEngineOptions {
  readonly backend: Backend;
  readonly firewall: Pick<Firewall, "saves">;
  readonly sets: KernelSets;
  /** The pid of the engine that there is. */
  readonly find: () => number | undefined;
  /** Whether lookups of containers are captured in their sandboxes; where not, nothing is held. */
  readonly captures: boolean;
  readonly lifecycle: Pick<Lifecycle, "state">;
}

export function createNextEngine(options: NextEngineOptions): NextEngine {
  const { backend, firewall, sets, find } = options;
  let followed = find();
  let isLost = false;
  let isHeld = false;

  async function holdFamily(pid: number, group: string, family: 4 | 6): Promise<void> {
    const jumps = engineHoldTables(backend).flatMap((table) => [
      `*${table}`,
      `-I OUTPUT -j ${chainNames.engine}`,
      "COMMIT",
    ]);
    const input = [...renderEngineHold(backend, group, setNames[`awake${family}`]), ...jumps, ""].join("\n");
    await execBesideEngine(pid, ...restoreCommand(family, backend), input);
  }

  return {
    isKnown() {
      followed = find();
      isLost = false;
    },
    isAwaited() {
      isLost = true;
    },
    get isLost() {
      return isLost;
    },
    async hold() {
      const isOurs = options.captures && isInForce(options.lifecycle.state);
      const next = isLost && isOurs ? find() : undefined;
      if (next === undefined || next === followed) return false;
      // The unit's, which may be in either variant, ends when a daemon is back, however late that is.
      const saved = await Promise.all(firewall.saves(4));
      if (saved.some(isEngineHeld)) return true;
      const group = await readEngineGroup(next);
      if (group === undefined) return false;
      await Promise.all([holdFamily(next, group, 4), holdFamily(next, group, 6)]);
      isHeld = true;
      return true;
    },
    leave() {
      if (isHeld) keepHeld(sets);
    },
  };
}
