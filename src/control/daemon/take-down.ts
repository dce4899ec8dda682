// The way out for good: everything of ours leaves the kernel, sandboxes before the rules that guard them.

import type { Log } from "../../edge/host/log.ts";
import { assertGivenBack } from "../../edge/sandbox/given-back.ts";
import { messageOf, problemsOf } from "../../errors.ts";
import type { DataPlaneLink } from "../../planes/link.ts";
import { type Removal, removalsOfRest, removeAll } from "../removal.ts";
import type { DaemonParts } from "./parts/parts.ts";

export interface TakeDown {
  /**
   * Ends what acts by itself, gives every sandbox back, and takes all of ours out of the kernel. To be begun again when it
   * has failed. @throws DockerwallError naming what is left
   */
  begin(): Promise<void>;
  /** Resolves when nothing is being taken down, to what the last one left, in words; undefined if that was nothing. */
  settled(): Promise<string | undefined>;
}

export interface TakeDownParts extends Pick<DaemonParts, "acting" | "enforcement" | "dataPlane"> {
  readonly log: Pick<Log, "warn">;
  /** What is to be gone of the kernel once the data plane is. */
  readonly removals: readonly Removal[];
}

export function createTakeDown(parts: TakeDownParts): TakeDown {
  let last: Promise<string | undefined> = Promise.resolve(undefined);
  return {
    begin() {
      const work = takeDown(parts);
      last = work.then(() => undefined, messageOf);
      return work;
    },
    async settled() {
      // One that has failed may have been begun again.
      for (;;) {
        const awaited = last;
        const left = await awaited;
        if (awaited === last) return left;
      }
    },
  };
}

/** All that a daemon has put into the kernel, in the order in which it is removed. */
export function removalsOf({ wall, host }: Pick<DaemonParts, "wall" | "host">): readonly Removal[] {
  const { sandboxFolder } = host;
  return [
    ...(sandboxFolder === undefined ? [] : [() => assertGivenBack(sandboxFolder)]),
    wall.remove,
    ...removalsOfRest,
  ];
}

/** Nothing depends on what the data plane says of its end, or on whether it is there still: the kernel is looked at. */
async function takeDown({ acting, enforcement, dataPlane, log, removals }: TakeDownParts): Promise<void> {
  acting.dispose();
  await enforcement.idle();
  const plane = dataPlane.empty();
  if (plane !== undefined) await endPlane(plane, log);
  await removeAll(removals);
}

async function endPlane(plane: DataPlaneLink, log: TakeDownParts["log"]): Promise<void> {
  for (const end of [() => plane.releaseAll(), () => plane[Symbol.asyncDispose]()])
    for (const problem of await problemsOf(end)) log.warn("data plane", { problem });
}
