// Standings of sandboxes by themselves, without the rest of a data plane: for kernel tests.

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
import type { Readiness } from "../../src/edge/kernel/readiness.ts";
import { app } from "./sandbox-plane.ts";
import { unlabelled } from "./topologies.ts";

/** What changes is looked at when it is asked for. */
const readiness: Readiness = { watch: () => () => undefined, close: () => undefined };

/** By a picture in which the engine has told of nobody. */
export function standingsOf(
  t: Pick<TestContext, "after">,
  {
    sets,
    own,
    lost = () => undefined,
    ownerOf = () => undefined,
    keepChecksums = () => true,
    onProblem = assert.fail,
  }: Pick<StandingsOptions, "sets"> &
    Pick<AddressOwners, "own"> &
    Partial<
      Pick<AddressOwners, "lost" | "ownerOf"> &
        Pick<StandingsOptions, "onProblem"> &
        Pick<SandboxView, "keepChecksums">
    >,
): Standings {
  const picture: Picture = {
    topology: { networks: [app], containers: [] },
    guarded: [{ ...app, lists: [], labels: unlabelled }],
    services: [],
    quarantined: [],
  };
  const index = new AskerIndex(picture);
  const unknownSandboxes = new UnknownSandboxes(picture);
  const nobody: ReadonlySet<string> = new Set();
  const nothing = (): void => undefined;
  const standings = createStandings({
    sets,
    readiness,
    guardPorts: true,
    onForeignInterfaces: () => undefined,
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
      holdersOf: () => nobody,
      hasOwnUsers: () => false,
      isHosts: () => false,
      cutInside: nothing,
      isCutInside: () => false,
      keepChecksums,
      giveBackChecksums: () => undefined,
    },
    nowMs: monotonicMs,
    onChange: nothing,
    onSecondPart: nothing,
    onProblem,
  });
  t.after(() => standings.close());
  return standings;
}
