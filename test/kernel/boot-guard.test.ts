// What the host's systemd runs at boot, run as it would: which bridges it holds, what the host still gets, and that a
// saved ruleset with rules of ours in it is loaded.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { bootGuardUnit, bootSetsUnit } from "../../src/firewall/boot-guard.ts";
import { renderRuleset } from "../../src/firewall/ruleset.ts";
import { createSets, destroySets, setsExist } from "../../src/io/desired-sets.ts";
import { openKernelSets } from "../../src/io/ipset.ts";
import { createIptables } from "../../src/io/iptables.ts";
import { createLan, reachability } from "../support/lan.ts";
import { enterNamespaces, run } from "../support/namespace.ts";
import { execStarts } from "../support/systemd.ts";

enterNamespaces(import.meta.url);

/** Which tool `iptables` is differs by machine; both would do, and we look at one. */
const tools = "/run/tools";
run("mkdir", "-p", tools);
for (const tool of ["iptables", "ip6tables"])
  for (const verb of ["", "-restore"])
    run("ln", "-s", run("which", `${tool}-nft${verb}`).trim(), `${tools}/${tool}${verb}`);

function start(unit: string): void {
  for (const [command = "", ...args] of execStarts(unit))
    execFileSync(command, args, { env: { PATH: `${tools}:${process.env["PATH"]}` }, stdio: "pipe" });
}

describe("the boot guard", () => {
  it("holds bridges, answers the host on them, and leaves the host's own way out alone", () => {
    const [docker, way, other] = ["br-0123456789ab", "br-lan", "virbr0"].map(createLan);
    const open = { out: [true, true], in: [true, true] };
    for (const lan of [docker, way, other]) assert.deepEqual(lan && reachability(lan), open);
    start(bootGuardUnit([{ bridge: "br-lan", why: ["eth0 (a physical device)"] }]));
    assert.deepEqual(docker && reachability(docker), { out: [true, true], in: [false, false] });
    for (const lan of [way, other]) assert.deepEqual(lan && reachability(lan), open);
  });

  it("says what it holds and what not", () => {
    assert.match(
      bootGuardUnit([]),
      /^# Holds every bridge named br-\*: .*\n# No such bridge was the host's own/,
    );
    assert.match(
      bootGuardUnit([{ bridge: "br-lan", why: ["eth0 (a physical device)", "the host's default route"] }]),
      /^# Holds .*\n# Not held: br-lan, which has eth0 \(a physical device\), the host's default route\.$/m,
    );
    assert.doesNotMatch(bootGuardUnit([{ bridge: "br-$(x)%n", why: ["eth0"] }]), /\$\(x\)|%n/);
  });
});

describe("saved rules that name our sets", () => {
  for (const backend of ["nft", "legacy"] as const) {
    it(`are loaded at boot (${backend})`, async () => {
      const sets = openKernelSets();
      run("nft", "flush", "ruleset");
      createSets(sets);
      const tables = renderRuleset({ family: 4, dnsPort: 5053, queueNumber: 5353, hold: true });
      await createIptables(backend).apply(4, tables);
      run(`iptables-${backend}`, "-A", "INPUT", "-s", "192.0.2.99", "-j", "DROP");
      const saved = run(`iptables-${backend}-save`);
      run(`iptables-${backend}`, "-F", "INPUT");
      await createIptables(backend).apply(4, []);
      destroySets(sets);
      const load = (): number | null => spawnSync(`iptables-${backend}-restore`, { input: saved }).status;
      assert.notEqual(load(), 0);
      start(bootSetsUnit());
      assert.equal(setsExist(sets), true);
      assert.equal(load(), 0);
      assert.match(run(`iptables-${backend}`, "-S", "INPUT"), /192\.0\.2\.99/);
      // The daemon takes such sets for its own.
      createSets(sets);
      await createIptables(backend).apply(4, []);
      destroySets(sets);
      assert.deepEqual(sets.names(), []);
      sets.close();
    });
  }
});
