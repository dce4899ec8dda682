// The firewall by iptables: what keeps either family's rules from being applied is told.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Family } from "../../../../../src/core/model/address.ts";
import { createFirewall } from "../../../../../src/edge/kernel/iptables/firewall.ts";
import type { Iptables } from "../../../../../src/edge/kernel/iptables/iptables.ts";
import { DockerwallError } from "../../../../../src/errors.ts";

const refusing = (sentenceFor: (family: Family) => string): Iptables => ({
  apply: (family) => Promise.reject(new DockerwallError("KERNEL_REFUSED", sentenceFor(family))),
  dryRun: () => Promise.resolve(),
  save: () => Promise.resolve(""),
  stands: () => Promise.resolve(false),
});
const both = new Map([
  [4, []],
  [6, []],
] as const);

test("what is in the way of both families is told of both at once", async () => {
  const firewall = createFirewall("nft", () => refusing((family) => `IPv${family} is in the way`));
  await assert.rejects(firewall.apply(both), {
    code: "KERNEL_REFUSED",
    message: "IPv4 is in the way\nIPv6 is in the way",
  });
});

test("what is in the way of both families alike is told once", async () => {
  const firewall = createFirewall("nft", () => refusing(() => "another program keeps the lock"));
  await assert.rejects(firewall.apply(both), { message: "another program keeps the lock" });
});
