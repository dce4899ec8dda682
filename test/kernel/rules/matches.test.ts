// Every kind of match on the real kernel, with both variants of iptables: each form that its row names is accepted, and
// is printed as we render it but for quotes, in each family that the row says has it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { sampleMatches } from "../../../src/core/firewall/rules/match.ts";
import { renderRule } from "../../../src/core/firewall/rules/render.ts";
import { returnIt } from "../../../src/core/firewall/rules/target.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

createSets(openKernelSets());

for (const backend of ["nft", "legacy"]) {
  for (const family of [4, 6] as const) {
    const tool = `${family === 4 ? "iptables" : "ip6tables"}-${backend}`;
    describe(`a match, tried with ${tool}`, () => {
      for (const match of sampleMatches(family)) {
        const rule = renderRule({ match: [match], target: returnIt }, "mangle");
        it(`${match.kind}: ${rule}`, () => {
          // A chain that nothing leads to takes what is bound to a hook.
          const input = `*mangle\n:SAMPLE - [0:0]\n-A SAMPLE ${rule}\nCOMMIT\n`;
          const { status, stderr } = spawnSync(`${tool}-restore`, ["--noflush"], { input, encoding: "utf8" });
          assert.equal(status, 0, stderr);
          const printed = run(`${tool}-save`).replaceAll('"', "").split("\n");
          assert.ok(printed.includes(`-A SAMPLE ${rule}`), printed.join("\n"));
        });
      }
    });
  }
}
