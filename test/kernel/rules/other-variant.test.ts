// The variant of iptables that is not used is kept clean every few seconds, on nearly all hosts of nothing: no program runs
// for that, and what the boot guard puts there at its next start is taken away by the next look all the same.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { type Backend, type RuleTools, toolsOf } from "../../../src/edge/kernel/iptables/tools.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

/** The programs, and how often one ran. */
function counted(): { readonly of: (backend: Backend) => RuleTools; runs: number } {
  const counter = {
    runs: 0,
    of(backend: Backend): RuleTools {
      const tools = toolsOf(backend);
      const count = <T>(work: () => T): T => {
        counter.runs += 1;
        return work();
      };
      return {
        ...tools,
        save: (family) => count(() => tools.save(family)),
        restore: (family, input) => count(() => tools.restore(family, input)),
        test: (family, input) => count(() => tools.test(family, input)),
      };
    },
  };
  return counter;
}

const tools = ["iptables", "ip6tables"] as const;

describe("the variant that is not used", () => {
  for (const [backend, other] of [
    ["nft", "legacy"],
    ["legacy", "nft"],
  ] as const)
    it(`is looked at without a program while nothing of ours can be there, and cleaned when it is (${other})`, async () => {
      const counter = counted();
      const firewall = createFirewall(backend, (variant) => createIptables(variant, counter.of(variant)));
      for (const _ of ["once", "twice"]) await firewall.cleanOther();
      assert.equal(counter.runs, 0);
      for (const tool of tools) {
        run(`${tool}-${other}`, "-t", "mangle", "-N", "DOCKERWALL-FORWARD");
        run(`${tool}-${other}`, "-t", "mangle", "-A", "DOCKERWALL-FORWARD", "-i", "br-+", "-j", "DROP");
        run(`${tool}-${other}`, "-t", "mangle", "-A", "FORWARD", "-j", "DOCKERWALL-FORWARD");
        run(`${tool}-${other}`, "-t", "mangle", "-A", "FORWARD", "-i", "eth7", "-j", "ACCEPT");
      }
      await firewall.cleanOther();
      for (const tool of tools) {
        const saved = run(`${tool}-${other}-save`);
        assert.doesNotMatch(saved, /DOCKERWALL/, tool);
        assert.match(saved, /^-A FORWARD -i eth7 -j ACCEPT$/m, tool);
      }
    });
});
