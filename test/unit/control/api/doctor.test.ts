// `doctor`: what cannot be looked at is one check that is not well, and keeps the others from nobody.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DoctorInput, examineHost } from "../../../../src/control/api/doctor.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { StatusReport } from "../../../../src/core/model/report.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import { runningContainer } from "../../../support/topologies.ts";

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
  overrides: [],
  quarantined: [],
  problems: [],
  warnings: [],
};

const well = {
  engine: { version: async () => ({ version: "28.5.2", apiVersion: "1.51" }) } as DoctorInput["engine"],
  status,
  topology: () => ({ networks: [], containers: [] }),
  guarded: new Set(["n1"]),
  rulesStand: async () => true,
  foreignMarks: async () => [],
  examine: async () => ({ upstream: undefined, sandboxes: [] }),
  savedRules: [],
} satisfies DoctorInput;

const web = runningContainer("web", "n1", "198.19.0.2");
const found = (...addresses: string[]): DoctorInput["examine"] => {
  const sandboxes = addresses.map((address) => ({ addresses: [address as IpAddress], captured: true }));
  return async () => ({ upstream: undefined, sandboxes });
};
/** What is there when the examination begins, and when it ends. */
function seen(...pictures: (readonly Container[])[]): DoctorInput["topology"] {
  const left = pictures.map((containers) => ({ networks: [], containers }));
  return () => left.shift() ?? assert.fail("asked too often");
}
const uncaptured =
  "capture of web: it runs on a guarded network, but its lookups are NOT captured; restart the container, and look into the log";

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
      ["marks: the rules of other software cannot be read: somebody keeps the lock"],
    ],
    ["a container that is captured", { topology: seen([web], [web]), examine: found("198.19.0.2") }, []],
    ["one in whose sandbox nothing was asked", { topology: seen([web], [web]) }, [uncaptured]],
    [
      "one beside another that is captured",
      { topology: seen([web], [web]), examine: found("198.19.0.3") },
      [uncaptured],
    ],
    ["one that has just come", { topology: seen([], [web]) }, []],
    ["one that has just gone", { topology: seen([web], []) }, []],
    ["one that does not run", { topology: seen([{ ...web, running: false }], [web]) }, []],
    [
      "any, where nothing can be captured",
      {
        topology: seen([web], [web]),
        status: { ...status, capture: { sandboxes: 0, problem: "layer 2 is switched off" } },
      },
      ["capture: layer 2 is switched off"],
    ],
    ["one of an open network", { topology: seen([web], [web]), guarded: new Set(["n2"]) }, []],
    [
      "rules of ours that the host's next boot would load",
      { savedRules: ["/etc/iptables/rules.v4 holds them"] },
      ["saved rules: /etc/iptables/rules.v4 holds them"],
    ],
    ["rules that differ", { rulesStand: async () => false }, ["rules: they differ and are being put right"]],
  ];
  for (const [what, change, expected] of cases)
    it(what, async () => assert.deepEqual(await unwell(change), expected));
});
