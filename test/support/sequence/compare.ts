// What everything must come to: what a fresh start makes of the same host, the same rules of others, and what was said by
// command.

import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { type SequenceDaemon, startDaemon } from "./daemon.ts";
import type { Host } from "./host.ts";
import { renderKernel, type SequenceKernel, withoutOurs } from "./kernel.ts";
import type { Memory } from "./memory.ts";
import { renderPicture } from "./render-picture.ts";

interface Given {
  readonly kernel: SequenceKernel;
  readonly host: Host;
  readonly policyFile: string;
  readonly memory: Memory;
}

/** @throws AssertionError naming what the kernel, or the picture of the data plane, has more or less */
export async function assertAsFresh(given: Given, daemon: SequenceDaemon | undefined): Promise<void> {
  const found = renderAll(given.kernel, daemon);
  const fresh = await freshlyStarted(given);
  assert.deepEqual(missingFrom(fresh, found), [], "more than after a fresh start");
  assert.deepEqual(missingFrom(found, fresh), [], "less than after a fresh start");
  assert.deepEqual(found, fresh, "in another order than after a fresh start");
}

async function freshlyStarted({ kernel, host, policyFile, memory }: Given): Promise<readonly string[]> {
  const bare = await withoutOurs(kernel, Date.now);
  const fresh = startDaemon({ kernel: bare, host, policyFile, reads: "all" });
  fresh.policies.overrides.add(memory.overrides(Date.now()));
  for (const id of memory.quarantine) fresh.wall.quarantine.add(id);
  await turn();
  await fresh.enforcement.decideAnew();
  await turn();
  fresh.kill();
  return renderAll(bare, fresh);
}

function renderAll(kernel: SequenceKernel, daemon: SequenceDaemon | undefined): readonly string[] {
  return [...renderKernel(kernel), ...renderPicture(daemon?.picture())];
}

/** Lines of one text that the other has not, or not as often. */
function missingFrom(text: readonly string[], other: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const line of text) counts.set(line, (counts.get(line) ?? 0) + 1);
  return other.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}
