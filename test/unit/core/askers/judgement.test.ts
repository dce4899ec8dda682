// What follows from what is known of a sandbox: anything uncertain closes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Evidence, judgeSandbox } from "../../../../src/core/askers/judgement.ts";
import type { Membership, Standing } from "../../../../src/core/askers/standing.ts";

const guarded: Standing = { kind: "guarded", memberships: [], settled: true, mayLose: false };
const open: Standing = { kind: "open" };
const unknown: Standing = { kind: "unknown" };

interface Known {
  readonly standing: Standing;
  /** Its addresses. */
  readonly own?: readonly string[];
  readonly quarantine?: "yes" | "no" | "maybe" | "unread";
  readonly mayJoin?: boolean;
  readonly awaitsList?: boolean;
}

function judge({ standing, own = [], quarantine = "no", mayJoin = false, awaitsList = false }: Known) {
  const asked: (readonly string[])[] = [];
  const evidence = {
    index: {
      standingOfSandbox: (_sandbox: string, _addresses: unknown, bridges: readonly string[]) => {
        asked.push(bridges);
        return standing;
      },
      networksOn: () => [],
    },
    unknownSandboxes: { quarantineOf: () => quarantine, mayJoin: () => mayJoin },
    asker: { sandbox: "box" },
    addresses: own,
    bridges: ["br-known", "br-strange"],
    strange: ["br-strange"],
    awaitsList,
  } as unknown as Evidence;
  const judgement = judgeSandbox(evidence);
  assert.deepEqual(asked, [["br-known"]]);
  return judgement;
}

const cases: readonly (readonly [string, Known, { isGuarded: boolean; isUndecided: boolean }])[] = [
  ["guarded", { standing: guarded }, { isGuarded: true, isUndecided: false }],
  ["open", { standing: open }, { isGuarded: false, isUndecided: false }],
  ["unknown", { standing: unknown }, { isGuarded: false, isUndecided: false }],
  [
    "open, may join a guarded network",
    { standing: open, mayJoin: true },
    { isGuarded: true, isUndecided: true },
  ],
  [
    "guarded already, may join",
    { standing: guarded, mayJoin: true },
    { isGuarded: true, isUndecided: false },
  ],
  [
    "open, on a bridge that may be the engine's",
    { standing: open, awaitsList: true },
    { isGuarded: false, isUndecided: true },
  ],
  [
    "guarded, on such a bridge",
    { standing: guarded, awaitsList: true },
    { isGuarded: true, isUndecided: false },
  ],
  [
    "perhaps in quarantine",
    { standing: guarded, quarantine: "maybe" },
    { isGuarded: true, isUndecided: true },
  ],
  ["in quarantine", { standing: open, quarantine: "yes" }, { isGuarded: false, isUndecided: false }],
  ["quarantine not read", { standing: open, quarantine: "unread" }, { isGuarded: false, isUndecided: false }],
];

for (const [name, known, expected] of cases) {
  test(name, () => {
    const { standing, quarantine, ...rest } = judge(known);
    assert.deepEqual(rest, expected);
    assert.equal(standing, known.standing);
    assert.equal(quarantine, known.quarantine ?? "no");
  });
}

test("nothing is granted to it at an address that is another's", () => {
  const membership = (...addresses: string[]) => ({ networkId: "n1", addresses }) as unknown as Membership;
  const both = { ...guarded, memberships: [membership("192.0.2.1", "192.0.2.2"), membership("192.0.2.2")] };
  const { standing } = judge({ standing: both, own: ["192.0.2.1"] });
  assert.deepEqual(standing, { ...guarded, memberships: [membership("192.0.2.1"), membership()] });
});
