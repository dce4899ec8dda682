// The rules on the real kernel, with both variants of iptables: what is applied reads back as it was rendered, what
// others do to it is put right by one plan, and what is removed leaves nothing.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { nothingFound } from "../../../src/core/classify/bridge-ports.ts";
import { onlyLabels } from "../../../src/core/classify/gather.ts";
import { classify } from "../../../src/core/classify/networks.ts";
import { desiredSets } from "../../../src/core/firewall/members.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { parsePrefix } from "../../../src/core/model/address.ts";
import type { Network } from "../../../src/core/model/topology.ts";
import { createListStore } from "../../../src/core/policy/list-store.ts";
import { applySets, createSets, destroySets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { assertPage } from "../../support/assert-page.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { presets } from "../../support/policies.ts";

enterNamespaces(import.meta.url);

const families = [4, 6] as const;
const options = { dnsPort: 5053, queueNumber: 5353, hold: true, demandSender: true };
const sets = openKernelSets();
createSets(sets);

function networkOf(index: number, labels: Record<string, string>): Network {
  const id = (0x1000 + index).toString(16).padStart(64, "0");
  const subnets = [`198.19.${index % 256}.0/24`, `2001:db8:${index.toString(16)}::/64`].flatMap(
    (text) => parsePrefix(text) ?? [],
  );
  const bridge = `br-${(0x1000 + index).toString(16).padStart(12, "0")}`;
  return {
    id,
    name: `net${index}`,
    driver: "bridge",
    bridge,
    subnets,
    gateways: [],
    internal: false,
    labels,
  };
}

for (const backend of ["nft", "legacy"] as const) {
  describe(`rules by iptables-${backend}`, () => {
    const iptables = createIptables(backend);
    const rendered = new Map(families.map((family) => [family, desiredRules({ family, ...options })]));
    /** The same value each time, as in the daemon: by it what was read before is known to be about the same rules. */
    const desired = (family: 4 | 6) => rendered.get(family) ?? assert.fail();
    const tool = (family: 4 | 6): string => `${family === 4 ? "iptables" : "ip6tables"}-${backend}`;
    const save = (family: 4 | 6): string =>
      run(`${tool(family)}-save`)
        .split("\n")
        .filter((line) => !line.startsWith("#"))
        .join("\n");

    for (const family of families) {
      it(`read back as rendered, IPv${family}`, async () => {
        assert.notDeepEqual(await iptables.apply(family, desired(family)), []);
        const before = save(family);
        assert.deepEqual(await iptables.apply(family, desired(family)), []);
        assert.equal(save(family), before);
      });

      it(`carry a comment each, IPv${family}`, () => {
        const own = save(family)
          .split("\n")
          .filter((line) => line.startsWith("-A DOCKERWALL-"));
        assert.ok(own.length > 30);
        assert.deepEqual(
          own.filter((line) => !line.includes(" --comment ")),
          [],
        );
      });

      const wounds: [name: string, ...args: string[]][] = [
        ["a rule put first", "-t", "mangle", "-I", "FORWARD", "-j", "ACCEPT"],
        ["a flushed table", "-t", "mangle", "-F"],
        ["a deleted jump", "-t", "raw", "-D", "PREROUTING", "-j", "DOCKERWALL-RAW"],
        ["a doubled jump", "-t", "nat", "-A", "PREROUTING", "-j", "DOCKERWALL-CAPTURE"],
        ["a rule put into our chain", "-t", "mangle", "-I", "DOCKERWALL-JUDGE", "-j", "RETURN"],
        ["a rule of ours replaced", "-t", "mangle", "-R", "DOCKERWALL-DENY", "2", "-j", "RETURN"],
        ["an emptied chain", "-t", "raw", "-F", "DOCKERWALL-RAW"],
        ["a jump of other software", "-t", "mangle", "-I", "FORWARD", "-p", "tcp", "-j", "DOCKERWALL-DENY"],
      ];
      // What was made for us is remembered by iptables-nft only.
      if (backend === "nft")
        wounds.push([
          "a rule put to what is remembered",
          "-t",
          "mangle",
          "-I",
          "DOCKERWALL-MADE",
          "-j",
          "ACCEPT",
        ]);
      for (const [name, ...args] of wounds) {
        it(`heal from ${name}, IPv${family}`, async () => {
          run(tool(family), ...args);
          assert.equal(await iptables.stands(family, desired(family)), false);
          assert.notDeepEqual(await iptables.apply(family, desired(family)), []);
          assert.equal(await iptables.stands(family, desired(family)), true);
          assert.deepEqual(await iptables.apply(family, desired(family)), []);
        });
      }

      it(`heal from a ruleset that was saved, changed and put back, IPv${family}`, async () => {
        const changed = save(family).replace("-j CONNMARK", "-m mark --mark 0x1 -j CONNMARK");
        if (backend === "nft") run("nft", "flush", "ruleset");
        execFileSync(`${tool(family)}-restore`, { input: `${changed}\n` });
        assert.equal(await iptables.stands(family, desired(family)), false);
        assert.notDeepEqual(await iptables.apply(family, desired(family)), []);
        assert.equal(await iptables.stands(family, desired(family)), true);
      });

      it(`leave nothing of ours, IPv${family}`, async () => {
        await iptables.apply(family, []);
        assert.doesNotMatch(save(family), /DOCKERWALL/);
      });
    }
  });
}

describe("the sets of the control plane", () => {
  const picture = (count: number) => {
    const labels = { "dockerwall.allow": "*.example.com 203.0.113.0/24" };
    const networks = Array.from({ length: count }, (_, index) =>
      networkOf(index, index % 2 === 0 ? labels : {}),
    );
    return desiredSets(
      classify({
        topology: { networks, containers: [] },
        bridges: [],
        policy: onlyLabels(createListStore(presets), 0),
        foreign: new Set(),
        lost: new Set(),
        foundOn: () => nothingFound,
        held: [],
        quarantine: new Set(),
      }),
    );
  };

  for (const count of [3, 500, 100, 0]) {
    it(`follow a picture of ${count} networks`, () => {
      applySets(sets, picture(count));
      assert.equal(applySets(sets, picture(count)).changed, false);
      assert.equal(sets.list("dockerwall-guarded4").length, Math.ceil(count / 2));
    });
  }

  it("are all gone after destroySets", () => {
    destroySets(sets);
    assert.deepEqual(sets.names(), []);
  });
});

describe("limits", () => {
  for (const backend of ["nft", "legacy"] as const)
    it(`are those of the rules, also beside the tables of an older version, by iptables-${backend}`, async () => {
      createSets(sets);
      const old = "-m hashlimit --hashlimit-upto 1/sec --hashlimit-mode srcip --hashlimit-htable-max 2";
      const tool = `iptables-${backend}`;
      for (const name of ["ask4", "denied4", "dns4", "error4"])
        run(tool, "-A", "OUTPUT", ...`${old} --hashlimit-name dockerwall-${name}`.split(" "));
      await createIptables(backend).apply(4, desiredRules({ family: 4, ...options }));
      const tables = readdirSync("/proc/net/ipt_hashlimit").filter((name) => /^dockerwall-.*-/.test(name));
      await createIptables(backend).apply(4, []);
      run(tool, "-F", "OUTPUT");
      destroySets(sets);
      assert.deepEqual(tables.sort(), [
        "dockerwall-ask4-2000-1000",
        "dockerwall-connections4-300-300",
        "dockerwall-denied4-5-256",
        "dockerwall-dns4-300-600",
        "dockerwall-error4-1000-1000",
      ]);
    });
});

describe("docs/ruleset.md", () => {
  it("is what the kernel holds (UPDATE_DOCS=1 writes it anew)", async () => {
    createSets(sets);
    run("nft", "flush", "ruleset");
    const iptables = createIptables("nft");
    const parts: string[] = [];
    for (const family of families) {
      await iptables.apply(family, desiredRules({ family, ...options }));
      const saved = run(`${family === 4 ? "iptables" : "ip6tables"}-nft-save`).split("\n");
      const own = saved.filter((line) => line.startsWith("*") || line.includes("DOCKERWALL-"));
      parts.push(`## IPv${family}\n\n\`\`\`\n${own.join("\n")}\n\`\`\`\n`);
    }
    const head =
      "# The rules, as the kernel holds them\n\nGenerated from a kernel that runs them. What each set is for stands in `src/core/firewall/names.ts`.\n";
    const text = [head, ...parts].join("\n");
    const path = new URL("../../../docs/ruleset.md", import.meta.url);
    if (process.env["UPDATE_DOCS"] === "1") writeFileSync(path, text);
    const command = "UPDATE_DOCS=1 npm run test:one -- test/kernel/rules/ruleset.test.ts";
    assertPage("docs/ruleset.md", { found: readFileSync(path, "utf8"), expected: text, command });
  });
});

describe("rules of nft's own in a table of iptables", () => {
  for (const family of families) {
    const table = `${family === 4 ? "ip" : "ip6"} nat`;
    it(`are named with what to do, and all is well when they are gone, IPv${family}`, async () => {
      const iptables = createIptables("nft");
      const desired = desiredRules({ family, ...options });
      run("nft", `add table ${table}; add chain ${table} OUTPUT { type nat hook output priority -100 ; }`);
      run("nft", `add rule ${table} OUTPUT fib daddr type local counter return`);
      const refused = new RegExp(
        `IPv${family} rules in nat, .*only nft knows.*\`nft delete table ${table}\` on the host`,
      );
      await assert.rejects(iptables.apply(family, desired), refused);
      run("nft", `delete table ${table}`);
      await iptables.apply(family, desired);
      assert.equal(await iptables.stands(family, desired), true);
      await iptables.apply(family, []);
    });
  }
});
