// What the control plane does when the engine's picture is another one, or the engine goes and comes.

import type { Inventory, InventoryEvents } from "../../edge/engine/inventory.ts";
import type { Log } from "../../edge/host/log.ts";
import { messageOf } from "../../errors.ts";
import type { Enforcement } from "../enforcement.ts";
import type { NextEngine } from "../next-engine.ts";
import type { Reporter } from "../reporter.ts";
import type { Wall } from "../wall.ts";
import type { EngineVersion } from "./engine-version.ts";
import { tellUnread } from "./problems.ts";

export interface EngineFollower {
  readonly log: Log;
  readonly inventory: Pick<Inventory, "current">;
  readonly enforcement: Enforcement;
  readonly nextEngine: NextEngine;
  readonly reporter: Pick<Reporter, "onProblem" | "clearProblem">;
  readonly wall: Pick<Wall, "forgetGone" | "quarantine">;
  readonly engineVersion: Pick<EngineVersion, "mayDiffer" | "follow">;
}

/** To be started with once. */
export function createEngineEvents({
  log,
  inventory,
  enforcement,
  nextEngine,
  reporter,
  wall,
  engineVersion,
}: EngineFollower): InventoryEvents {
  let wasRead = false;
  return {
    onChange: () => void enforcement.reconcile(),
    onRead: () => enforcement.tellReadings(),
    onNetworks: () => void enforcement.heal(),
    onReload: () => {
      engineVersion.mayDiffer();
      void engineVersion.follow();
    },
    onLost: () => {
      nextEngine.isAwaited();
      enforcement.awaitEngine();
    },
    onReconnect: () => {
      log.warn("engine is back");
      engineVersion.mayDiffer();
      nextEngine.isKnown();
      reporter.clearProblem("engine");
      void enforcement.heal();
    },
    onRefreshed: () => {
      reporter.clearProblem("engine");
      void engineVersion.follow();
      if (!nextEngine.isLost) void enforcement.engineIsRead();
      // Only the first time does the wall learn by it that nobody is missing.
      const before = wasRead ? wall.quarantine.size : undefined;
      wasRead = true;
      for (const container of wall.forgetGone(inventory.current()))
        log.warn("quarantine ended, the container is gone", { container });
      if (wall.quarantine.size !== before) void enforcement.reconcile();
    },
    onUnread: (unread) => tellUnread(reporter, unread),
    onProblem: (error) => reporter.onProblem("engine", messageOf(error)),
  };
}

/** Reads the engine again; a failure is reported, and reaches no caller. @returns whether it was read */
export async function readEngine(
  { inventory, reporter }: { readonly inventory: Inventory; readonly reporter: Pick<Reporter, "onProblem"> },
  suspects?: readonly string[],
): Promise<boolean> {
  try {
    await inventory.refresh(suspects);
    return true;
  } catch (error) {
    reporter.onProblem("engine", messageOf(error));
    return false;
  }
}
