// The rules in memory that unit tests use against the real programs: a random file is taken or refused by both, and what
// stands then is the same, file after file.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { connectionMark, packetMarkMask } from "../../../src/core/firewall/names.ts";
import { renderRule } from "../../../src/core/firewall/rules/render.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFakeRules } from "../../support/fake-rules.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { type Random, seeded } from "../../support/seeded.ts";

enterNamespaces(import.meta.url);

const seed = Number(process.env["DOCKERWALL_SEED"] ?? 7);
const files = Number(process.env["DOCKERWALL_FILES"] ?? 60);
const sets = openKernelSets();
createSets(sets);

/** Rules of ours that stand alone, each with the table that it is from. */
const bodies = desiredRules({
  family: 4,
  dnsPort: 5053,
  queueNumber: 5353,
  hold: true,
  demandSender: true,
}).flatMap(({ name, chains }) =>
  chains.flatMap(({ rules }) =>
    rules.filter(({ target }) => !("chain" in target)).map((rule) => renderRule(rule, name)),
  ),
);
const strange = [
  "-j ACCEPT",
  "-p tcp -j ACCEPT",
  "-m nothing -j ACCEPT",
  "-m set --match-set nothing src -j DROP",
  "-j SET --add-set nothing src",
  "-m tcp --dport 53 -j ACCEPT",
  "-j REJECT --reject-with tcp-reset",
  "-p tcp -j REJECT --reject-with tcp-reset",
  "-m owner --uid-owner 0 -j ACCEPT",
  "-j REDIRECT --to-ports 53",
  "-j CT --notrack",
  "-j INPUT",
  "-j NOTHING",
  `-j MARK --set-xmark 0x0/0x${packetMarkMask.toString(16)}`,
  `-j CONNMARK --set-xmark 0x0/0x${connectionMark.mask.toString(16)}`,
];
const hooks: Readonly<Record<string, readonly string[]>> = {
  raw: ["PREROUTING", "OUTPUT"],
  mangle: ["PREROUTING", "FORWARD", "OUTPUT"],
  nat: ["PREROUTING", "OUTPUT"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
};
const own = ["ONE", "TWO", "THREE"];

/** What takes away comes first: the kernel may or may not be told of a rule that goes in the file that it comes in. */
const commandOrder = ["-F", "-D", "-X", "-I", "-A"];

function randomFile(random: Random, mostIndex: number): string {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] ?? assert.fail();
  const body = (): string => {
    const kind = random(10);
    if (kind < 4) return `-${pick(["j", "g"])} ${pick(own)}`;
    if (kind < 6) return pick(strange);
    return pick(bodies);
  };
  const line = (table: string): string => {
    const chain = pick([...(hooks[table] ?? []), ...own, ...own]);
    switch (random(9)) {
      case 0:
      case 1:
      case 2:
        return `-X ${pick(own)}`;
      case 3:
        return `-F ${chain}`;
      case 4:
        return `-D ${chain} ${body()}`;
      case 5:
        return `-I ${chain} ${1 + random(mostIndex)} ${body()}`;
      default:
        return `-A ${chain} ${body()}`;
    }
  };
  const part = (): string => {
    const table = pick(Object.keys(hooks));
    // Most files would be refused otherwise: nothing has been declared in the beginning.
    const declared = own.filter(() => random(3) > 0).map((chain) => `:${chain} - [0:0]`);
    const lines = Array.from({ length: 1 + random(3) }, () => line(table)).toSorted(
      (one, other) => commandOrder.indexOf(one.slice(0, 2)) - commandOrder.indexOf(other.slice(0, 2)),
    );
    return [`*${table}`, ...declared, ...lines, "COMMIT", ""].join("\n");
  };
  return Array.from({ length: 1 + random(2) }, part).join("");
}

/** Table by table, without those in which nothing is; nft shows only the built-in chains that something is in. */
function comparable(saved: string): readonly string[] {
  return saved
    .split("COMMIT\n")
    .map((text) => text.split("\n").filter((line) => line !== "" && !/^#|^:\S+ ACCEPT /.test(line)))
    .filter((lines) => lines.length > 1)
    .map((lines) => lines.join("\n").replaceAll(/\[\d+:\d+\]/g, "[0:0]"))
    .toSorted();
}

for (const backend of ["nft", "legacy"]) {
  describe(`rules in memory and iptables-${backend}`, () => {
    it(`take and refuse the same ${files} files`, async () => {
      const names = new Set<string>(sets.names());
      const fake = createFakeRules({ hasSet: (name) => names.has(name) });
      const random = seeded(seed);
      const taken: boolean[] = [];
      for (let count = 0; count < files; count++) {
        // In a chain that the file has emptied, nft still knows the places that were.
        const file = randomFile(random, backend === "nft" ? 1 : 3);
        const real = spawnSync(`iptables-${backend}-restore`, ["--noflush"], {
          input: file,
          encoding: "utf8",
        });
        const refused = await fake.restore(4, file).then(
          () => undefined,
          (error: unknown) => String(error),
        );
        const told = `file ${count}:\n${file}\n${real.stderr}\n${refused}`;
        assert.equal(refused === undefined, real.status === 0, told);
        assert.deepEqual(comparable(await fake.save(4)), comparable(run(`iptables-${backend}-save`)), told);
        taken.push(refused === undefined);
      }
      const share = taken.filter(Boolean).length / files;
      assert.ok(share > 0.1 && share < 0.9, `${share} of the files were taken`);
    });
  });
}
