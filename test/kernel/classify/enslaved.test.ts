// A bridge that is part of another device: what comes from it is dropped, before the kernel shows rules that device in its
// place. This kernel may have no VRF, so only what the host finds on the bridge says that it is a part of one.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { createWall } from "../../../src/control/wall.ts";
import { nothingFound } from "../../../src/core/classify/bridge-ports.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { createNamespace, enterNamespaces } from "../../support/namespace.ts";
import { quietHost } from "../../support/policies.ts";
import { app, join, makeBridges } from "../../support/sandbox-plane.ts";

enterNamespaces(import.meta.url);

test("a network is closed while its bridge is part of another device", async (t) => {
  makeBridges();
  const box = createNamespace("box");
  join(box, "eth0", "198.19.1.2/24");
  let master: string | undefined;
  const sets = openKernelSets();
  const wall = createWall({
    sets,
    firewall: createFirewall("nft"),
    dnsPort: 5053,
    queueNumber: 5353,
    hold: true,
    listBridges: () => ["br-app", "br-plain"],
    ...quietHost(),
    lookAtBridges: () => (bridge) => ({ ...nothingFound, ...(bridge === "br-app" ? { master } : {}) }),
  });
  t.after(async () => {
    await wall.remove();
    sets.close();
  });
  const classify = (): void =>
    void wall.classify({
      networks: [{ ...app, labels: { "dockerwall.allow": "" } }],
      containers: [],
    });
  // A container answers the host, whatever its list has.
  const answers = (): boolean => spawnSync("ping", ["-c", "1", "-W", "1", "198.19.1.2"]).status === 0;
  classify();
  await wall.applyRules();
  assert.equal(answers(), true);
  master = "vrf0";
  classify();
  assert.equal(answers(), false);
  master = undefined;
  classify();
  assert.equal(answers(), true);
});
