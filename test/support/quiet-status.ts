import type { StatusReport } from "../../src/core/model/report/status.ts";

/** The status of a daemon that is well and has nothing to say. */
export const quietStatus: StatusReport = {
  state: "enforcing",
  healthy: true,
  held: [],
  version: "0",
  sinceMs: 0,
  startedMs: 0,
  engine: undefined,
  backend: "nft",
  capture: { sandboxes: 0, problem: undefined },
  resolver: undefined,
  counters: [],
  networks: [],
  containers: [],
  overrides: [],
  quarantined: [],
  problems: [],
  warnings: [],
};
