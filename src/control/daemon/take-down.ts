// The way out for good: everything of ours leaves the kernel, sandboxes before the rules that guard them.

import { removePortTable } from "../../edge/kernel/nftables/port-table.ts";
import { removeSettledPorts } from "../../edge/kernel/nftables/settled-ports.ts";
import type { Parts } from "./parts.ts";

export interface TakeDown {
  /** Ends what acts by itself, gives every sandbox back, and takes rules and sets out of the kernel. @throws DockerwallError */
  begin(): Promise<void>;
  /** Resolves when nothing is being taken down; never rejects. */
  settled(): Promise<void>;
}

export function createTakeDown(
  parts: Pick<Parts, "acting" | "enforcement" | "dataPlane" | "wall">,
): TakeDown {
  let last: Promise<void> = Promise.resolve();
  return {
    begin() {
      const work = takeDown(parts);
      last = work.catch(() => undefined);
      return work;
    },
    settled: () => last,
  };
}

async function takeDown({
  acting,
  enforcement,
  dataPlane,
  wall,
}: Parameters<typeof createTakeDown>[0]): Promise<void> {
  acting.dispose();
  await enforcement.idle();
  const plane = dataPlane.empty();
  await plane?.releaseAll();
  await plane?.[Symbol.asyncDispose]();
  await wall.remove();
  removePortTables();
}

/** What was left at ports nobody would change any more, nor let go whom it cut off. */
export function removePortTables(): void {
  removePortTable();
  removeSettledPorts();
}
