// What the entrypoint tries of the kernel is what the rules and the sets need.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { renderRule } from "../../src/core/firewall/render.ts";
import { desiredRules } from "../../src/core/firewall/ruleset.ts";
import { setSpecs } from "../../src/core/firewall/sets.ts";

const entrypoint = readFileSync(join(import.meta.dirname, "../../entrypoint.sh"), "utf8");
const own = /^(DOCKERWALL-.*|ACCEPT|DROP|RETURN)$/;

const rules = ([4, 6] as const)
  .flatMap((family) => desiredRules({ family, dnsPort: 5053, queueNumber: 5353, hold: true }))
  .flatMap(({ name, chains }) => chains.flatMap(({ rules }) => rules.map((rule) => renderRule(rule, name))));
const words = (flag: string): string[] => [
  ...new Set(
    rules.flatMap((rule) =>
      [...rule.matchAll(new RegExp(`(?:^| )${flag} (\\S+)`, "g"))].map(([, word = ""]) => word),
    ),
  ),
];

const wanted: readonly string[] = [
  ...new Set(setSpecs().map(({ type }) => (type === "list:set" ? type : `${type} family `))),
  ...words("-m").map((match) => `-m ${match} `),
  ...words("-j")
    .filter((target) => !own.test(target))
    .map((target) => `-j ${target} `),
];

for (const feature of wanted) {
  test(`entrypoint: tries ${feature}`, () => assert.ok(entrypoint.includes(feature), feature));
}
