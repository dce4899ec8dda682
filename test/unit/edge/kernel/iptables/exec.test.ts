// What a program that fails is said to have failed for.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exec } from "../../../../../src/edge/kernel/iptables/exec.ts";

const cases: readonly [what: string, stderr: string, reason: string][] = [
  [
    "the line after a program's own name",
    "iptables-nft-restore v1.8.9 (nf_tables): \nline 5: RULE_APPEND failed (No such file or directory): rule in chain FORWARD\n",
    "iptables-nft-restore v1.8.9 (nf_tables): line 5: RULE_APPEND failed (No such file or directory): rule in chain FORWARD",
  ],
  ["the first line", "\niptables v1.8.9: no chain\nTry help\n", "iptables v1.8.9: no chain"],
  ["a name with nothing after it", "iptables v1.8.9:\n", "iptables v1.8.9:"],
];

describe("a program that fails is said to have failed for", () => {
  for (const [what, stderr, reason] of cases)
    it(what, () =>
      assert.rejects(exec("sh", ["-c", "cat >&2; exit 1"], { input: stderr }), {
        message: `sh -c cat >&2; exit 1 failed: ${reason}`,
      }),
    );
});
