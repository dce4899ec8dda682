// The firewall by iptables: the error names what keeps either family's rules from being applied.

import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import type { Family } from "../../../../../src/core/model/address.ts";
import { createFirewall } from "../../../../../src/edge/kernel/iptables/firewall.ts";
import { createIptables, type Iptables } from "../../../../../src/edge/kernel/iptables/iptables.ts";
import { sparingAbsent } from "../../../../../src/edge/kernel/iptables/present-families.ts";
import type { RuleTools } from "../../../../../src/edge/kernel/iptables/tools.ts";
import { DockerwallError } from "../../../../../src/errors.ts";

const refusing = (sentenceFor: (family: Family) => string): Iptables => ({
  apply: (family) => Promise.reject(new DockerwallError("KERNEL_REFUSED", sentenceFor(family))),
  dryRun: () => Promise.resolve(),
  save: () => Promise.resolve(""),
  stands: () => Promise.resolve(false),
  planHold: (family) =>
    Promise.resolve(() => Promise.reject(new DockerwallError("KERNEL_REFUSED", sentenceFor(family)))),
});
const both = new Map([
  [4, []],
  [6, []],
] as const);

test("the error names what is in the way of each family", async () => {
  const firewall = createFirewall("nft", () => refusing((family) => `IPv${family} is in the way`));
  await assert.rejects(firewall.apply(both), {
    code: "KERNEL_REFUSED",
    message: "IPv4 is in the way\nIPv6 is in the way",
  });
});

test("the error names what is in the way of both families alike once", async () => {
  const firewall = createFirewall("nft", () => refusing(() => "another program keeps the lock"));
  await assert.rejects(firewall.apply(both), { message: "another program keeps the lock" });
});

test("of both families that refuse to hold questions, the same one is told each time", async () => {
  const firewall = createFirewall("nft", () => refusing((family) => `IPv${family} is in the way`));
  const apply = await firewall.planHold({ pid: 1, group: "docker.service" });
  await assert.rejects(apply(), { message: "IPv4 is in the way" });
});

test("nothing of what holds questions is put in before it is applied", async () => {
  const restored: Parameters<RuleTools["restore"]>[] = [];
  const tools: RuleTools = {
    save: () => Promise.reject(new Error("there is no such table")),
    restore: async (...file) => restored.push(file),
    test: () => Promise.resolve(),
    mayHoldOurs: () => false,
  };
  const variant = createIptables("legacy", tools);
  const apply = await variant.planHold(6, { pid: 7, group: "docker.service" });
  assert.equal(restored.length, 0);
  await apply();
  assert.deepEqual(
    restored.map(([family, , groupsOf]) => [family, groupsOf]),
    [[6, 7]],
  );
  assert.match(restored[0]?.[1] ?? "", /--path docker\.service .*dockerwall-held6/);
});

describe("a family that the kernel does not have", () => {
  const refused = refusing((family) => `IPv${family} is in the way`);
  for (const backend of ["nft", "legacy"] as const) {
    it(`is not missed, by iptables-${backend}`, async () => {
      const variant = sparingAbsent(backend, refused, (family) => family === 4);
      assert.deepEqual(await variant.apply(6, []), []);
      await assert.rejects(variant.apply(4, []), { message: "IPv4 is in the way" });
      const engine = { pid: 1, group: "docker.service" };
      await (await variant.planHold(6, engine))();
      await assert.rejects((await variant.planHold(4, engine))(), { message: "IPv4 is in the way" });
    });

    it(`is missed once it is there, by iptables-${backend}`, async () => {
      let isHere = false;
      const variant = sparingAbsent(backend, refused, () => isHere);
      assert.deepEqual(await variant.apply(6, []), []);
      isHere = true;
      await assert.rejects(variant.apply(6, []), { message: "IPv6 is in the way" });
      assert.equal(await variant.stands(6, []), false);
    });
  }

  it("has its rules all the same where the kernel takes them", async () => {
    const taking: Iptables = { ...refused, apply: () => Promise.resolve(["raw"]) };
    assert.deepEqual(await sparingAbsent("nft", taking, () => false).apply(6, []), ["raw"]);
  });
});
