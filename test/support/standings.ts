// Standings of sandboxes by themselves, without the rest of a data plane.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { AskerIndex } from "../../src/core/askers/index-of-askers.ts";
import { UnknownSandboxes } from "../../src/core/askers/unknown-sandboxes.ts";
import type { Picture } from "../../src/core/model/picture.ts";
import { createStandings, type Standings } from "../../src/data/sandboxes/sandbox-standing.ts";
import type {
  AddressOwners,
  SandboxView,
  StandingsOptions,
} from "../../src/data/sandboxes/standing-options.ts";
import { monotonicMs } from "../../src/edge/kernel/monotonic.ts";
import { openPortTable, type PortTable } from "../../src/edge/kernel/nftables/host/port-table.ts";
import type { Readiness } from "../../src/edge/kernel/readiness.ts";
import { openPorts as openHostPorts } from "../../src/edge/sandbox/ports/ports.ts";
import { app } from "./sandbox-plane.ts";
import { unlabelled } from "./topologies.ts";

/** What changes is looked at when it is asked for. */
const readiness: Readiness = { watch: () => () => undefined, close: () => undefined };

/** In it the engine has told of nobody. */
const blankPicture: Picture = {
  topology: { networks: [app], containers: [] },
  guarded: [{ ...app, lists: [], labels: unlabelled }],
  services: [],
  quarantined: [],
};

export type StandingsWorld = Pick<StandingsOptions, "sets"> &
  Pick<AddressOwners, "own"> &
  Partial<
    Pick<AddressOwners, "lost" | "ownerOf"> &
      Pick<StandingsOptions, "onProblem" | "onChange"> &
      Pick<SandboxView, "keepChecksums" | "holdersOf" | "cutInside">
  > & {
    /** Ports and table of a kernel that is none; those of the kernel without it. */
    readonly kernel?: { readonly openPorts: StandingsOptions["openPorts"]; readonly table: PortTable };
    readonly picture?: Picture;
  };

const nothing = (): void => undefined;

export function standingsOf(
  t: Pick<TestContext, "after">,
  {
    sets,
    own,
    lost = nothing,
    ownerOf = () => undefined,
    keepChecksums = () => true,
    holdersOf = () => new Set(),
    cutInside = nothing,
    onProblem = assert.fail,
    onChange = nothing,
    kernel = { openPorts: openHostPorts, table: openPortTable() },
    picture = blankPicture,
  }: StandingsWorld,
): Standings {
  const index = new AskerIndex(picture);
  const unknownSandboxes = new UnknownSandboxes(picture);
  const standings = createStandings({
    sets,
    readiness,
    ...kernel,
    onForeignInterfaces: nothing,
    engine: {
      indexNow: () => index,
      unknownSandboxesNow: () => unknownSandboxes,
      meet: (sandbox, addresses) => ({ sandbox, sinceMs: 0, addresses }),
      hearOf: nothing,
      mayForge: () => true,
      isUnheard: () => false,
      markUndecided: nothing,
      whoIs: () => undefined,
      mayMakeInterfaces: () => true,
      listedAtMs: monotonicMs,
    },
    owners: { own, lost, ownerOf },
    found: {
      isComplete: () => true,
      mayBeThere: () => false,
      isRead: () => true,
      holdersOf,
      hasOwnUsers: () => false,
      isHosts: () => false,
      cutInside,
      isCutInside: () => false,
      keepChecksums,
      giveBackChecksums: nothing,
    },
    nowMs: monotonicMs,
    onChange,
    onSecondPart: nothing,
    onProblem,
  });
  t.after(() => standings.close());
  return standings;
}
