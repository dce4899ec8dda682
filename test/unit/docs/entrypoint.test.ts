// What the entrypoint tries of the kernel is what the rules and the sets need.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { sampleMatches, textOf } from "../../../src/core/firewall/rules/match.ts";
import { probeRules, probeSets } from "../../../src/core/firewall/rules/probe.ts";
import { renderRule } from "../../../src/core/firewall/rules/render.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { setSpecs } from "../../../src/core/firewall/sets.ts";
import { assertPage } from "../../support/assert-page.ts";

const path = join(import.meta.dirname, "../../../entrypoint.sh");
const families = [4, 6] as const;

const printed = (name: string, lines: readonly string[]): readonly string[] => [
  `${name}() {`,
  "  cat <<'END'",
  ...lines,
  "END",
  "}",
];
const block = [
  "# BEGIN PROBE",
  "# Module of the kernel, and what to create.",
  ...printed("sets", probeSets()),
  "",
  "# Module of the kernel, table, chain and rule.",
  ...families.flatMap((family) => [
    ...(family === 4 ? [] : [""]),
    ...printed(`rules${family}`, probeRules(family)),
  ]),
  "# END PROBE",
].join("\n");

describe("the entrypoint", () => {
  it("tries what the rules and sets need (UPDATE_PROBE=1 writes it anew)", () => {
    const script = readFileSync(path, "utf8");
    const updated = script.replace(/# BEGIN PROBE\n.*# END PROBE/s, () => block);
    if (process.env["UPDATE_PROBE"] === "1") writeFileSync(path, updated);
    const command = "UPDATE_PROBE=1 npm run test:one -- test/unit/docs/entrypoint.test.ts";
    assertPage("entrypoint.sh", { found: readFileSync(path, "utf8"), expected: updated, command });
    assert.ok(updated.includes(block), "there is no place for it between BEGIN PROBE and END PROBE");
  });

  // By the text alone, so that nothing is passed over that the values fail to name a module for.
  it("tries each match, each target and each kind of set that there is a word for", () => {
    const rules = families.flatMap((family) =>
      desiredRules({ family, dnsPort: 5053, queueNumber: 5353, hold: true, demandSender: true }).flatMap(
        ({ name, chains }) => chains.flatMap((chain) => chain.rules.map((rule) => renderRule(rule, name))),
      ),
    );
    const words = (flag: string): string[] =>
      rules.flatMap((rule) =>
        [...rule.matchAll(new RegExp(`(?:^| )(${flag} \\S+)`, "g"))].map(([, word = ""]) => word),
      );
    // Words of one kind of match: to try one of them is to try them all.
    const kinds = Map.groupBy(families.flatMap(sampleMatches), ({ kind }) => kind);
    const wordsOfKinds = [...kinds.values()].map((samples) =>
      samples.flatMap((match) => /^-m \S+/.exec(textOf(match) ?? "")?.[0] ?? []),
    );
    const isTried = (word: string): boolean =>
      block.includes(word) ||
      wordsOfKinds.some((each) => each.includes(word) && each.some((other) => block.includes(other)));
    const own = /^-j (DOCKERWALL-.*|ACCEPT|DROP|RETURN)$/;
    const wanted = new Set([
      ...setSpecs().map(({ type }) => ` ${type} `),
      ...words("-m"),
      ...words("-j").filter((word) => !own.test(word)),
    ]);
    assert.ok(wanted.size > 15);
    assert.deepEqual(
      [...wanted].filter((word) => !isTried(word)),
      [],
    );
  });
});
