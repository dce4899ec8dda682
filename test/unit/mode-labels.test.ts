import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readModeLabels } from "../../src/core/labels/mode.ts";
import type { Network } from "../../src/core/model/topology.ts";

const networkOf = (labels: Readonly<Record<string, string>>): Network => ({
  id: "1",
  name: "web",
  driver: "bridge",
  bridge: "br-1",
  subnets: [],
  gateways: [],
  internal: false,
  labels,
});

const cases: readonly [
  mode: string | undefined,
  deny: string | undefined,
  read: string,
  problems: readonly RegExp[],
][] = [
  [undefined, undefined, "enforce drop", []],
  ["enforce", "drop", "enforce drop", []],
  ["audit", undefined, "audit drop", []],
  [undefined, "reject", "enforce reject", []],
  ["audit", "reject", "audit reject", []],
  [" audit\n", " reject ", "audit reject", []],
  [
    "",
    "",
    "enforce drop",
    [
      /label dockerwall\.mode: it is "", but must be enforce or audit; enforce is in force$/,
      /label dockerwall\.deny: it is ""/,
    ],
  ],
  ["Audit", undefined, "enforce drop", [/it is "Audit", but must be enforce or audit/]],
  ["off", undefined, "enforce drop", [/^network "web", label dockerwall\.mode: it is "off"/]],
  ["audit", "REJECT", "audit drop", [/it is "REJECT", but must be drop or reject; drop is in force$/]],
  ["audit,enforce", "x".repeat(200), "enforce drop", [/"audit,enforce"/, /it is "x{80}", but/]],
  ["au\u0000dit", undefined, "enforce drop", [/it is "au\\u0000dit"/]],
];

describe("readModeLabels", () => {
  for (const [mode, deny, read, problems] of cases) {
    it(`reads ${JSON.stringify(mode)} and ${JSON.stringify(deny?.slice(0, 20))}`, () => {
      const found = readModeLabels(
        networkOf({
          ...(mode === undefined ? {} : { "dockerwall.mode": mode }),
          ...(deny === undefined ? {} : { "dockerwall.deny": deny }),
        }),
      );
      assert.equal(`${found.audit ? "audit" : "enforce"} ${found.reject ? "reject" : "drop"}`, read);
      assert.equal(found.problems.length, problems.length);
      for (const [index, problem] of problems.entries()) assert.match(found.problems[index] ?? "", problem);
    });
  }
});
