// An engine that restarts after a crash, without live-restore, ends the containers that its predecessor left, ours among
// them, and starts them again before it answers any request. Its lookups for containers that start before ours would
// leave past the wall, so we hold them while the engine ends us.

import { planEngineHold } from "../core/firewall/engine-hold.ts";
import { setNames } from "../core/firewall/names.ts";
import type { Family } from "../core/model/address.ts";
import { isInForce } from "../core/model/state.ts";
import { execBesideEngine, readEngineGroup } from "../edge/engine/group.ts";
import { type Firewall, readableSaves } from "../edge/kernel/firewall.ts";
import { keepHeld } from "../edge/kernel/flows/engine-queue.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { type Backend, restoreCommand } from "../edge/kernel/iptables/tools.ts";
import { hasFamily } from "../edge/kernel/libc.ts";
import type { Lifecycle } from "./lifecycle.ts";

export interface NextEngine {
  /** From now on we follow the present engine. */
  isKnown(): void;
  /** We have lost the engine that we follow. */
  isAwaited(): void;
  /** Whether we have lost it. */
  readonly isLost: boolean;
  /**
   * To be called when we must end: if a new engine has come since we lost ours, its questions are held, until a daemon
   * has read it or the time is over.
   * @returns whether they are
   * @throws DockerwallError naming what prevented it
   */
  hold(): Promise<boolean>;
}

export interface NextEngineOptions {
  readonly backend: Backend;
  readonly firewall: Pick<Firewall, "saves">;
  readonly sets: KernelSets;
  /** The pid of the present engine. */
  readonly find: () => number | undefined;
  /** Whether lookups of containers are captured in their sandboxes; if not, nothing is held. */
  readonly captures: boolean;
  readonly lifecycle: Pick<Lifecycle, "state">;
}

export function createNextEngine(options: NextEngineOptions): NextEngine {
  const { backend, firewall, sets, find } = options;
  let followed = find();
  let isLost = false;

  async function holdFamily(pid: number, group: string, family: Family): Promise<void> {
    const [saved = ""] = await readableSaves(firewall, family);
    const input = planEngineHold({ variant: backend, group, whileIn: setNames[`held${family}`], saved });
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
      const group = await readEngineGroup(next);
      if (group === undefined) return false;
      keepHeld(sets);
      const families = ([4, 6] as const).filter(hasFamily);
      await Promise.all(families.map((family) => holdFamily(next, group, family)));
      return true;
    },
  };
}
