// A daemon that ends lets go of new bridges only when nobody is on a guarded network, by all that it knows by then.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { startDaemon } from "../../../support/sequence/daemon.ts";
import { createHost } from "../../../support/sequence/host.ts";
import { createKernel } from "../../../support/sequence/kernel.ts";

const held = /-i br-\+ -m set ! --match-set dockerwall-open4 src,src .*-j DROP/;

describe("the hold on new bridges", () => {
  const cases: readonly [what: string, label: string | undefined, runs: boolean, isHeld: boolean][] = [
    ["is lifted where no network is guarded", undefined, true, false],
    ["is lifted while nobody is on a guarded network", "", false, false],
    [
      "stays for a container on a network that was read only at the end, while a round was under way",
      "",
      true,
      true,
    ],
  ];
  for (const [what, label, runs, isHeld] of cases) {
    it(what, async () => {
      const host = createHost();
      const kernel = createKernel(() => 0);
      const daemon = startDaemon({ kernel, host, policyFile: "/nonexistent/policy.yaml", reads: "all" });
      await turn();
      host.addNetwork("db", 1, {});
      daemon.tell();
      host.addNetwork("app", 0, label === undefined ? {} : { "dockerwall.allow": label });
      const app = host.networks.get("app") ?? assert.fail();
      host.addContainer("web", [app.id], {});
      const web = host.containers.get("web") ?? assert.fail();
      if (runs) host.start(web);
      await daemon.stop();
      assert.equal(held.test(kernel.rules.text(4)), isHeld);
      const guarded = kernel.sets.list("dockerwall-guarded4");
      assert.equal(guarded.length, label === undefined ? 0 : 1, "its set is filled in any case");
    });
  }
});
