// The tables that all networks share are as safe with the older iptables, which matches and limits by its own way.

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { floodChecks } from "../../support/flood-checks.ts";
import { startFloodLab } from "../../support/flood-lab.ts";
import { enterNamespaces } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const lab = await startFloodLab("legacy");
after(() => lab.close());
const { limited, denials, ownOf, assertUnharmed, assertNoForgedLink } = floodChecks(lab);

for (const family of [4, 6] as const)
  describe(`IPv${family}`, () => {
    for (const mode of ["denied", "forged"] as const)
      it(`${mode} packets take no place of others`, async () => {
        const report = await lab.meanwhile(family, () => lab.flood(mode, family, 1_800));
        assertUnharmed(family, report);
        const known = ["dns", "ask", "denied"].flatMap((table) => limited(table, family));
        const askers = denials(family).map(({ asker }) => asker);
        // Its own are there, so this reads what the kernel knows.
        assert.ok(askers.length > 200, `${askers.length} denials`);
        assert.deepEqual(
          [...known, ...askers].filter((source) => !ownOf(family).includes(source)),
          [],
        );
      });
  });

it("nothing in the name of link-local addresses is anywhere", async () => {
  const report = await lab.meanwhile(6, () => lab.flood("link", 6, 4_000));
  assertNoForgedLink(report);
});
