// What the standings of sandboxes go by, from the parts of the data plane.

import type { IpAddress } from "../../core/model/address.ts";
import { monotonicMs } from "../../edge/kernel/monotonic.ts";
import { openPortTable } from "../../edge/kernel/nftables/host/port-table.ts";
import { openPorts } from "../../edge/sandbox/ports/ports.ts";
import type { Sandboxes } from "../../edge/sandbox/sandboxes.ts";
import type { BaseParts } from "../worker/base-parts.ts";
import { createStandings, type Standings } from "./sandbox-standing.ts";

const nobody: ReadonlySet<string> = new Set();

/** @param sandboxes undefined until they are captured */
export function startStandings(parts: BaseParts, sandboxes: () => Sandboxes | undefined): Standings {
  const { settings, sets, readiness, view, presence, pending, engine } = parts;
  return createStandings({
    sets,
    readiness,
    openPorts,
    table: settings.guardPorts ? openPortTable() : undefined,
    engine: {
      indexNow: () => view.index,
      unknownSandboxesNow: () => view.unknownSandboxes,
      meet(sandbox: string, addresses: readonly IpAddress[]) {
        if (presence.appeared(sandbox)) pending.appeared(sandbox);
        return { ...view.knowledge.ofSandbox(sandbox, addresses), sandbox };
      },
      // Before it asks anything, it is known then whether it may have a label that nobody has told of.
      hearOf(asker) {
        if (view.knowledge.isUnheard(asker)) engine.refresh();
      },
      mayForge: (asker) => view.knowledge.mayForge(asker),
      whoIs: (asker) => view.knowledge.whoIs(asker),
      mayMakeInterfaces: (asker) => view.knowledge.mayMakeInterfaces(asker),
      isUnheard: (asker) => view.knowledge.isUnheard(asker),
      markUndecided(sandbox, isUndecided) {
        if (pending.mark(sandbox, isUndecided)) engine.refresh();
      },
      listedAtMs: () => view.listedAtMs,
    },
    owners: {
      own: parts.ownership.own,
      lost: parts.ownership.lost,
      ownerOf: (address) => parts.admission.holderOf(address),
    },
    found: {
      isComplete: () => sandboxes()?.isComplete() === true,
      mayBeThere(sandbox) {
        const there = sandboxes();
        if (there === undefined) return true;
        return sandbox !== undefined && there.addressesOf(sandbox) !== undefined;
      },
      isRead: (sandbox) => sandboxes()?.isRead(sandbox) === true,
      holdersOf: (address) => sandboxes()?.holdersOf(address) ?? nobody,
      isHosts: (address) => parts.hostAddresses.has(address),
      hasOwnUsers: (sandbox) => sandboxes()?.hasOwnUsers(sandbox) === true,
      cutInside: (sandbox, cut) => sandboxes()?.cutInside(sandbox, cut),
      isCutInside: (sandbox) => sandboxes()?.isCutInside(sandbox) === true,
      keepChecksums: (sandbox, pairs) => sandboxes()?.keepChecksums(sandbox, pairs) === true,
      giveBackChecksums: (sandbox) => sandboxes()?.giveBackChecksums(sandbox),
    },
    nowMs: monotonicMs,
    onChange: (changed) => sandboxes()?.judge(changed),
    onSecondPart: () => parts.telling.tell({ kind: "second-part" }),
    onForeignInterfaces: (sentences) => parts.telling.tell({ kind: "foreign-interfaces", sentences }),
    onProblem: parts.telling.problem,
  });
}
