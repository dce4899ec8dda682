// `doctor`: what cannot be looked at is one check that is not well, and keeps the others from nobody.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DoctorInput, examineHost } from "../../src/control/api/doctor.ts";
import type { StatusReport } from "../../src/core/model/report.ts";

const status: StatusReport = {
  state: "enforcing",
  healthy: true,
  version: "0",
  sinceMs: 0,
  engine: { version: "28.5.2", apiVersion: "1.51" },
  backend: "legacy",
  capture: { sandboxes: 0, problem: undefined },
  resolver: undefined,
  counters: [],
  networks: [],
  held: [],
  rules: [],
  problems: [],
  warnings: [],
};

const well = {
  engine: { version: async () => ({ version: "28.5.2", apiVersion: "1.51" }) } as DoctorInput["engine"],
  status,
  topology: { networks: [], containers: [] },
  rulesStand: async () => true,
  foreignMarks: async () => [],
  examine: async () => ({ upstream: undefined, sandboxes: [] }),
  savedRules: [],
} satisfies DoctorInput;

const fails = async (): Promise<never> => {
  throw new Error("somebody keeps the lock");
};

async function unwell(change: Partial<DoctorInput>): Promise<readonly string[]> {
  const { checks } = await examineHost({ ...well, ...change });
  assert.ok(checks.length >= 4);
  return checks.filter(({ ok }) => !ok).map(({ subject, finding }) => `${subject}: ${finding}`);
}

describe("doctor", () => {
  const cases: readonly [what: string, change: Partial<DoctorInput>, expected: string[]][] = [
    ["all is well", {}, []],
    ["rules that cannot be read", { rulesStand: fails }, ["rules: somebody keeps the lock"]],
    [
      "rules of others that cannot be read",
      { foreignMarks: fails },
      ["marks: the rules of others cannot be read: somebody keeps the lock"],
    ],
    ["rules that differ", { rulesStand: async () => false }, ["rules: they differ and are being put right"]],
  ];
  for (const [what, change, expected] of cases)
    it(what, async () => assert.deepEqual(await unwell(change), expected));
});
