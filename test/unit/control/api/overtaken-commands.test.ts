// Every command, in every state of the daemon: where it may not run, it is refused with that; and so is one that an
// uninstall overtakes, whatever it would have looked up next.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ControlApi } from "../../../../src/control/api/control-api.ts";
import { type DaemonState, stateSentences } from "../../../../src/core/model/state.ts";
import { messageOf } from "../../../../src/errors.ts";
import { type SequenceDaemon, startDaemon } from "../../../support/sequence/daemon.ts";
import { createHost } from "../../../support/sequence/host.ts";
import { createKernel } from "../../../support/sequence/kernel.ts";

function start(t: TestContext): SequenceDaemon {
  const host = createHost();
  host.addNetwork("app", 0, { "dockerwall.allow": "" });
  const [id = ""] = [...host.networks.values()].map((network) => network.id);
  for (const name of ["web", "cut"]) host.addContainer(name, [id], {});
  for (const container of host.containers.values()) host.start(container);
  const kernel = createKernel(() => 0);
  const daemon = startDaemon({ kernel, host, policyFile: "/nonexistent/policy.yaml", reads: "all" });
  t.after(() => daemon.kill());
  return daemon;
}

async function startWhole(t: TestContext): Promise<SequenceDaemon> {
  const daemon = start(t);
  await turn();
  await daemon.api.quarantine({ container: "cut" });
  return daemon;
}

const commands: { readonly [Name in keyof ControlApi]: (api: ControlApi) => Promise<unknown> } = {
  stats: (api) => api.stats(),
  status: (api) => api.status(),
  doctor: (api) => api.doctor(),
  prepareNetwork: (api) => api.prepareNetwork({ name: "new", patterns: [] }),
  changeOverrides: (api) =>
    api.changeOverrides({ verb: "allow", target: "app", entries: ["a.example.com"], forSeconds: 60 }),
  explain: (api) => api.explain({ container: "web", target: "a.example.com" }),
  suggest: (api) => api.suggest({ network: "app" }),
  replay: (api) => api.replay({ network: "app" }),
  quarantine: (api) => api.quarantine({ container: "web" }),
  release: (api) => api.release({ container: "cut" }),
  uninstall: (api) => api.uninstall(),
};
const names = Object.keys(commands) as readonly (keyof ControlApi)[];

/** How the daemon comes into each state. */
const ways: Readonly<Record<DaemonState, readonly DaemonState[]>> = {
  starting: [],
  enforcing: [],
  degraded: ["degraded"],
  uninstalling: ["uninstalling"],
  uninstalled: ["uninstalling", "uninstalled"],
  stopping: ["stopping"],
};

/** Beside what may be asked while the wall is in force. */
const besides: Readonly<Record<DaemonState, readonly (keyof ControlApi)[]>> = {
  starting: ["status"],
  enforcing: names,
  degraded: names,
  uninstalling: ["status", "uninstall"],
  uninstalled: ["status", "uninstall"],
  stopping: ["status"],
};

describe("a daemon in each state", () => {
  for (const state of Object.keys(ways) as readonly DaemonState[])
    for (const name of names) {
      const may = besides[state].includes(name);
      it(`${may ? "takes" : "refuses"} ${name} while ${state}`, async (t) => {
        const daemon = state === "starting" ? start(t) : await startWhole(t);
        for (const next of ways[state]) daemon.lifecycle.become(next);
        assert.equal(daemon.lifecycle.state, state);
        const refused = await commands[name](daemon.api).then(() => undefined, messageOf);
        const sentences: readonly string[] = Object.values(stateSentences);
        if (may) assert.ok(refused === undefined || !sentences.includes(refused), refused);
        else assert.equal(refused, stateSentences[state]);
      });
    }
});

describe("a command that an uninstall overtakes", () => {
  for (const name of names.filter((each) => each !== "uninstall")) {
    it(`says so (${name})`, async (t) => {
      const daemon = await startWhole(t);
      const given = commands[name](daemon.api);
      const uninstalled = daemon.api.uninstall();
      if (name === "status") await given;
      else await assert.rejects(given, { code: "UNINSTALLED" });
      await uninstalled;
    });
  }
});
