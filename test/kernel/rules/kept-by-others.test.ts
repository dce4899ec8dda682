// What other software's rules keep us from removing is named, with what to do about it; everything else goes.

import assert from "node:assert/strict";
import { it } from "node:test";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { createSets, destroySets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const options = { dnsPort: 5053, queueNumber: 5353, hold: true };
const sets = openKernelSets();
const firewall = createFirewall("nft");
const own = (): readonly string[] => sets.names().filter((name) => name.startsWith("dockerwall-"));

it("rules of ours in a table that iptables cannot read", async () => {
  createSets(sets);
  await firewall.apply(new Map([[4, desiredRules({ family: 4, ...options })]]));
  run("nft", "add rule ip mangle POSTROUTING ct state vmap { invalid : drop }");
  for (let time = 0; time < 2; time++) {
    await assert.rejects(
      firewall.remove(),
      /^DockerwallError: iptables cannot read the IPv4 rules in mangle, .*`nft delete table ip mangle`/,
    );
    assert.equal(await firewall.isClean(), false);
  }
  run("nft", "flush", "chain", "ip", "mangle", "POSTROUTING");
  await firewall.remove();
  assert.equal(await firewall.isClean(), true);
  destroySets(sets);
  assert.deepEqual(own(), []);
});

it("sets of ours that another rule names", () => {
  createSets(sets);
  run("iptables-nft", "-N", "MINE");
  run("sh", "-c", "iptables-nft -A MINE -m set --match-set dockerwall-guarded4 src,src -j LOG");
  run("sh", "-c", "iptables-nft -A MINE -m set --match-set dockerwall-open4 src,src -j LOG");
  const kept = ["dockerwall-guarded4", "dockerwall-open4"];
  assert.throws(() => destroySets(sets), /^DockerwallError: these sets are in use, .*`iptables-save; /);
  assert.deepEqual(
    own()
      .filter((name) => !name.startsWith("dockerwall-open4-"))
      .toSorted(),
    kept,
  );
  run("iptables-nft", "-F", "MINE");
  destroySets(sets);
  assert.deepEqual(own(), []);
});
