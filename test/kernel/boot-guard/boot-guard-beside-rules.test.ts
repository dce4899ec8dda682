// The boot guard's unit where rules of ours stand already: saved ones that were loaded at boot, and those of a daemon that
// has ended or lives on.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, beforeEach, describe, it } from "node:test";
import { bootGuardUnit, bootSetsUnit } from "../../../src/core/firewall/boot-guard.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { claimHost } from "../../../src/edge/host/claim.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { type Backend, backends, startUnit } from "../../support/boot-unit.ts";
import { mountSys } from "../../support/daemon-process.ts";
import { createLan, createOther, type Lan, reachability } from "../../support/lan.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

for (const backend of backends)
  describe(`the boot guard where rules of ours stand (${backend})`, () => besideRules(backend));

function besideRules(backend: Backend): void {
  const unit = bootGuardUnit([{ bridge: `br-lan-${backend}`, why: "has eth0 (a physical device)" }]);
  const open = { out: [true, true], in: [true, true] };
  const held = { out: [true, true], in: [false, false] };
  const [docker, way, vlan] = [
    createLan(`br-${backend}1234`),
    createLan(`br-lan-${backend}`),
    createOther(`br-vlan-${backend}`),
  ] as const;
  const tools = ["iptables", "ip6tables"] as const;
  const rules = (): string => tools.map((tool) => run(`${tool}-${backend}-save`)).join("");
  /** As a daemon leaves them, and as saved ones are loaded behind the unit that makes the sets. */
  async function leaveRules(hold: boolean): Promise<void> {
    startUnit(bootSetsUnit());
    for (const family of [4, 6] as const)
      await createIptables(backend).apply(family, desiredRules({ ...options, family, hold }));
  }
  const options = { dnsPort: 5053, queueNumber: 5353, demandSender: true };

  /** Whether the host passes anything on from there: to a place behind another bridge of its own. */
  function forwards({ box }: Lan): boolean {
    return spawnSync("ip", ["netns", "exec", box.name, "ping", "-c", "1", "-W", "1", behind]).status === 0;
  }
  const virtual = createLan(`virbr-${backend}`);
  const behind = virtual.far[0];
  for (const lan of [docker, way, vlan, virtual]) {
    lan.box.run("ip", "route", "add", "default", "via", lan.host[0]);
  }
  run("sysctl", "-qw", "net.ipv4.ip_forward=1");

  const empty = (): void => {
    run("nft", "flush", "ruleset");
    for (const tool of tools)
      for (const table of ["raw", "mangle", "nat", "filter"])
        for (const what of ["-F", "-X"]) run(`${tool}-legacy`, "-t", table, what);
  };
  beforeEach(empty);
  after(empty);

  for (const [what, hold] of [
    ["without their hold, as of a daemon with none or one that has lifted it", false],
    ["with their hold", true],
  ] as const)
    it(`holds bridges and leaves the host's own alone, rules ${what}`, async () => {
      await leaveRules(hold);
      for (const _ of ["once", "twice"]) startUnit(unit, backend);
      assert.deepEqual(reachability(docker), held);
      assert.equal(forwards(docker), false);
      for (const lan of [way, vlan]) {
        assert.deepEqual(reachability(lan), open);
        assert.equal(forwards(lan), true);
      }
      const once = rules();
      startUnit(unit, backend);
      assert.equal(withoutCounters(rules()), withoutCounters(once), "a further start changes nothing");
      // A daemon takes over: what it writes is all that is left.
      await leaveRules(hold);
      assert.doesNotMatch(rules(), /DOCKERWALL-BOOT|not-held|held-since-boot/);
    });

  it("holds what the chain of rules whose jump is gone does not", async () => {
    await leaveRules(true);
    for (const tool of tools)
      for (const hook of ["FORWARD", "INPUT"]) run(`${tool}-${backend}`, "-t", "mangle", "-F", hook);
    for (const tool of tools) run(`${tool}-${backend}`, "-t", "raw", "-F");
    startUnit(unit, backend);
    assert.deepEqual(reachability(docker), held);
  });

  for (const hold of [true, false])
    it(`does nothing while a daemon enforces, with its hold ${hold ? "on" : "off"}`, async () => {
      await leaveRules(hold);
      const before = withoutCounters(rules());
      using _daemon = claimHost();
      startUnit(unit, backend);
      assert.equal(withoutCounters(rules()), before);
    });

  it("holds for a daemon that has written no rules yet", () => {
    using _daemon = claimHost();
    startUnit(unit, backend);
    assert.deepEqual(reachability(docker), held);
    assert.deepEqual(reachability(way), open);
  });
}

function withoutCounters(saved: string): string {
  return saved.replaceAll(/\[\d+:\d+\]|^#.*\n/gm, "");
}
