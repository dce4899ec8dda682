// `uninstall` as a command: one at a time, and again after one that failed.

import type { Lifecycle } from "../lifecycle.ts";

export interface UninstallOptions {
  readonly lifecycle: Lifecycle;
  /** Ends all background work, and removes everything of ours from the kernel. */
  readonly takeDown: () => Promise<void>;
}

/** The command; a caller that asks while it runs gets the same result. It throws what is left. */
export function createUninstall({ lifecycle, takeDown }: UninstallOptions): () => Promise<void> {
  let running: Promise<void> | undefined;

  async function uninstall(): Promise<void> {
    if (lifecycle.state === "uninstalled") return;
    lifecycle.become("uninstalling");
    await takeDown();
    lifecycle.become("uninstalled");
  }

  return () => {
    running ??= uninstall().finally(() => {
      running = undefined;
    });
    return running;
  };
}
