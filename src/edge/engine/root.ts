// The engine's root folder and what it sees there, even as engines come and go: dockerd may restart beside us, which
// with live-restore our containers do not notice, and its old pid then names nothing.

import { closeSync, openSync, statSync } from "node:fs";
import type { EngineRoot } from "../kernel/iptables/exec.ts";
import { startOf } from "../kernel/proc/start-time.ts";
import { findDockerd } from "./dockerd.ts";
import { O_PATH } from "./files/small-file.ts";

interface Held {
  readonly pid: number;
  /** When it was started, in ticks: its pid may be another's by now. */
  readonly startedAt: string;
  readonly fd: number;
  /** Which folder its /run was. An engine that had mounts of its own took them along. */
  readonly run: string | undefined;
}

/**
 * The root of whichever engine there is, or of the last one there was while its place is still there; undefined where
 * none can be looked into. The path is good for a program that is started now. `findEngine` gives its pid.
 */
function createEngineRoot(findEngine: () => number | undefined): EngineRoot {
  let held: Held | undefined;
  /** Who was started with it a moment ago may not have opened it yet. */
  let before: Held | undefined;

  return () => {
    if (held !== undefined && startOf(held.pid) === held.startedAt) return pathOf(held);
    const found = hold(findEngine());
    if (found !== undefined) {
      if (before !== undefined) closeSync(before.fd);
      before = held;
      held = found;
    }
    return held !== undefined && folderAt(`${pathOf(held)}/run`) === held.run ? pathOf(held) : undefined;
  };
}

/** The engine that this process is beside. */
export const engineRoot: EngineRoot = createEngineRoot(findDockerd);

/** By our pid: what we start opens it, and has no such descriptor itself. */
function pathOf({ fd }: Held): string {
  return `/proc/${process.pid}/fd/${fd}`;
}

function hold(pid: number | undefined): Held | undefined {
  const startedAt = pid === undefined ? undefined : startOf(pid);
  if (pid === undefined || startedAt === undefined) return undefined;
  try {
    const root = `/proc/${pid}/root`;
    return { pid, startedAt, fd: openSync(root, O_PATH), run: folderAt(`${root}/run`) };
  } catch {
    // It has ended meanwhile, or is not ours to look into.
    return undefined;
  }
}

function folderAt(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isDirectory() === true ? `${stat.dev} ${stat.ino}` : undefined;
}
