// One thing that can happen: what it acts on, and what chance has a part in it.

import type { Random } from "../seeded.ts";
import type { SequenceDaemon } from "./daemon.ts";
import type { Host } from "./host.ts";
import type { SequenceKernel } from "./kernel.ts";
import type { Memory } from "./memory.ts";

export interface World {
  readonly host: Host;
  readonly kernel: SequenceKernel;
  readonly memory: Memory;
  /** Undefined while none runs. */
  readonly daemon: SequenceDaemon | undefined;
  /** What happened, for people. */
  readonly story: string[];
  /** Something has changed on the host; `told` says whether the engine tells of it now. */
  changed(told: boolean): void;
  /** Other software does something to the kernel; `what` may have been the daemon's memory. */
  byOthers(what: "memory" | "other", work: () => void): void;
  start(reads: "all" | "some"): void;
  stop(): Promise<void>;
  kill(): void;
  /** The command is given; resolves to what it was refused with at once, undefined for one that was taken. */
  command(given: Promise<unknown>): Promise<unknown>;
  uninstall(): void;
  tick(seconds: number): Promise<void>;
  /** Lets everything come to rest, and compares. */
  settle(): Promise<void>;
  /** @throws AssertionError for what should not have happened */
  assertWell(): void;
}

export interface Chance {
  readonly random: Random;
  /** Whether the engine tells of it at once. */
  readonly told: boolean;
}

export type Step = (world: World, chance: Chance) => unknown;

/** Undefined where there is none. */
export function pickOf<T>(list: readonly T[], random: Random): T | undefined {
  return list[random(list.length)];
}
