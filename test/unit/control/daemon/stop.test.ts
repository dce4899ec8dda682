// A daemon that ends lets go of new bridges only when nobody is on a guarded network, by all that it knows by then.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { DaemonParts } from "../../../../src/control/daemon/parts/parts.ts";
import { stop } from "../../../../src/control/daemon/stop.ts";
import { createLifecycle } from "../../../../src/control/lifecycle.ts";
import type { Container, Topology } from "../../../../src/core/model/topology.ts";
import { createLog } from "../../../../src/edge/host/log.ts";
import { startDaemon } from "../../../support/sequence/daemon.ts";
import { createHost } from "../../../support/sequence/host.ts";
import { createKernel } from "../../../support/sequence/kernel.ts";
import { bridgeNetwork, runningContainer } from "../../../support/topologies.ts";

/** A container that runs on a network. */
const onNetwork = (id: string): Container => runningContainer("web", id, "198.18.1.2");

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

  const late: readonly [what: string, on: string | undefined, isHeld: boolean][] = [
    ["is lifted where nobody starts while the daemon ends", undefined, false],
    ["is lifted for a container on an open network that starts meanwhile", "open", false],
    ["is lifted for one on an open network that is first read then", "read", false],
    ["stays for a container on a guarded network that starts meanwhile", "guarded", true],
    ["stays for a container on a network that is made meanwhile", "made", true],
    ["stays for one on a network that is made while the last round is under way", "in-round", true],
  ];
  for (const [what, on, isHeld] of late) {
    it(what, async () => {
      const guarded = bridgeNetwork("guarded");
      let topology: Topology = { networks: [bridgeNetwork("open"), guarded], containers: [] };
      const make = (id: string): void => {
        topology = { ...topology, networks: [...topology.networks, bridgeNetwork(id)] };
      };
      let isLifted = false;
      const lifecycle = createLifecycle(
        () => undefined,
        () => 0,
      );
      lifecycle.become("enforcing");
      const parts: unknown = {
        acting: new DisposableStack(),
        config: { hold: true },
        dataPlane: { current: () => undefined },
        enforcement: {
          decideAnew: async () => make("in-round"),
          classification: () => ({ guarded: [guarded] }),
          idle: async () => undefined,
        },
        history: { keep: () => undefined },
        host: { ownContainer: undefined },
        inventory: { refresh: async () => make("read"), current: () => topology },
        lifecycle,
        log: createLog("error"),
        nextEngine: { hold: async () => undefined },
        wall: {
          async liftHold() {
            isLifted = true;
          },
        },
      };
      await stop(parts as DaemonParts, {
        begin: async () => undefined,
        async settled() {
          make("made");
          if (on !== undefined) topology = { ...topology, containers: [onNetwork(on)] };
          return undefined;
        },
      });
      assert.equal(isLifted, !isHeld);
    });
  }
});
