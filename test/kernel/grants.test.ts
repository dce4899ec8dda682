// Grants against the kernel's own sets, which are smaller here than what is put into them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setNames } from "../../src/core/firewall/names.ts";
import { setSpecs } from "../../src/core/firewall/sets.ts";
import type { IpAddress } from "../../src/core/model/address.ts";
import { anyService } from "../../src/core/model/service.ts";
import { startAdmission } from "../../src/data/admission.ts";
import { openKernelSets } from "../../src/edge/kernel/ipset/kernel-sets.ts";
import { monotonicMs } from "../../src/edge/kernel/monotonic.ts";
import { enterNamespaces, run } from "../support/namespace.ts";

enterNamespaces(import.meta.url);

/** The entries of all sets as the tool prints them, without what changes by itself. */
function entries(): string[] {
  return run("ipset", "save")
    .split("\n")
    .filter((line) => line.startsWith("add "))
    .map((line) => line.replace(/ (timeout|packets|bytes) \d+/g, ""))
    .sort();
}

test("a grant that the kernel takes half of is taken back whole", () => {
  const sets = openKernelSets();
  for (const spec of setSpecs()) {
    sets.create(spec.name === setNames.grant4 ? { ...spec, hashSize: 1024, maxEntries: 100 } : spec);
  }
  const admission = startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs });
  const grantsTo = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      asker: "198.18.0.2" as IpAddress,
      destination: `203.0.113.${from + i}` as IpAddress,
      domain: "www.example.org",
      service: anyService,
      leaseSeconds: 300,
    }));
  admission.admit(grantsTo(1, 20), () => "n1");
  const before = entries();
  assert.equal(before.length, 20 * 4);
  // 160 entries are new and 60 fit, in more than one message to the kernel.
  assert.throws(() => admission.admit(grantsTo(1, 100), () => "n1"), /full|refused/);
  assert.deepEqual(entries(), before);
  admission.admit(grantsTo(21, 20), () => "n1");
  assert.equal(entries().length, 40 * 4);
  sets.close();
});
