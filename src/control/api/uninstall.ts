// `uninstall` as a command: one at a time, and again after one that failed.

import { nothing } from "../../core/api/request-checks.ts";
import { daemonStates, inForceStates } from "../../core/model/state.ts";
import type { ApiParts } from "./context/api-parts.ts";
import { route } from "./context/route.ts";

export const uninstall = route(nothing, createUninstall, {
  // Again after one that failed; and it changes the state itself.
  begins: [...inForceStates, "uninstalling", "uninstalled"],
  ends: daemonStates,
});

/** The command; a caller that asks while it runs gets the same result. It throws what is left. */
export function createUninstall({
  lifecycle,
  takeDown,
}: Pick<ApiParts, "lifecycle" | "takeDown">): () => Promise<void> {
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    if (lifecycle.state === "uninstalled") return;
    lifecycle.become("uninstalling");
    await takeDown();
    lifecycle.become("uninstalled");
  }

  return () => {
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  };
}
