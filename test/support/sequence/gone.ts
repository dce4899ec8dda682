// What must be so once Dockerwall is uninstalled, and what a daemon says then.

import assert from "node:assert/strict";
import { DockerwallError } from "../../../src/errors.ts";
import type { SequenceDaemon } from "./daemon.ts";
import type { SequenceKernel } from "./kernel.ts";

export function isGone(daemon: SequenceDaemon | undefined): boolean {
  return daemon?.lifecycle.state === "uninstalled" || daemon?.lifecycle.state === "uninstalling";
}

export function isToldGone(error: unknown): boolean {
  return error instanceof DockerwallError && error.code === "UNINSTALLED";
}

/** @throws AssertionError naming what is left, or is said to be */
export async function assertGone(kernel: SequenceKernel, daemon: SequenceDaemon): Promise<void> {
  assert.ok(kernel.isClean(), "something is left after uninstall");
  const { networks, overrides, quarantined, held } = await daemon.api.status();
  assert.deepEqual([networks, overrides, quarantined, held], [[], [], [], []]);
}
