// A command that an uninstall overtakes is told that, whatever it would have looked up next.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ControlApi } from "../../../../src/core/model/control-api.ts";
import { type SequenceDaemon, startDaemon } from "../../../support/sequence/daemon.ts";
import { createHost } from "../../../support/sequence/host.ts";
import { createKernel } from "../../../support/sequence/kernel.ts";

let daemon: SequenceDaemon;

beforeEach(async (t) => {
  const host = createHost();
  host.addNetwork("app", 0, { "dockerwall.allow": "" });
  const [id = ""] = [...host.networks.values()].map((network) => network.id);
  for (const name of ["web", "cut"]) host.addContainer(name, [id], {});
  for (const container of host.containers.values()) host.start(container);
  daemon = startDaemon({
    kernel: createKernel(() => 0),
    host,
    policyFile: "/nonexistent/policy.yaml",
    reads: "all",
  });
  if ("after" in t) t.after(() => daemon.kill());
  await turn();
  await daemon.api.quarantine({ container: "cut" });
});

const commands: Readonly<Record<string, (api: ControlApi) => Promise<unknown>>> = {
  allow: (api) =>
    api.changeOverrides({ verb: "allow", target: "app", entries: ["a.example.com"], forSeconds: 60 }),
  quarantine: (api) => api.quarantine({ container: "web" }),
  release: (api) => api.release({ container: "cut" }),
};

describe("a command that an uninstall overtakes", () => {
  for (const [name, command] of Object.entries(commands)) {
    it(`says so (${name})`, async () => {
      const given = command(daemon.api);
      const uninstalled = daemon.api.uninstall();
      await assert.rejects(given, { code: "UNINSTALLED" });
      await uninstalled;
    });
  }
});
