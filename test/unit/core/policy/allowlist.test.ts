import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAllowlist, renderProblem } from "../../../../src/core/policy/allowlist.ts";
import { renderEntry } from "../../../../src/core/policy/entry.ts";
import { presets } from "../../../support/policies.ts";

const accepted: readonly [name: string, text: string, entries: readonly string[]][] = [
  ["nothing is a guarded network that may reach nothing", "", []],
  ["white space alone", " \t\n ", []],
  ["separators alone", ",, ,\n,", []],
  ["spaces", "a.example.com b.example.com", ["a.example.com", "b.example.com"]],
  ["commas", "a.example.com,b.example.com", ["a.example.com", "b.example.com"]],
  ["lines of a YAML block", "a.example.com\nb.example.com\n", ["a.example.com", "b.example.com"]],
  ["carriage returns", "a.example.com\r\nb.example.com\r\n", ["a.example.com", "b.example.com"]],
  ["all of them", " a.example.com,*.b.example.com\n  :: ,\t", ["a.example.com", "*.b.example.com", "::/128"]],
  ["a space that does not break", "a.example.com\u00a0b.example.com", ["a.example.com", "b.example.com"]],
  ["a byte order mark", "\ufeffa.example.com", ["a.example.com"]],
  ["an ideographic space", "a.example.com\u3000b.example.com", ["a.example.com", "b.example.com"]],
  ["the same twice", "a.example.com A.example.com", ["a.example.com", "a.example.com"]],
  ["`!` beside what it narrows", "*.example.com !a.example.com", ["*.example.com", "!a.example.com"]],
  ["a preset", "@npm", ["registry.npmjs.org:443/tcp"]],
  ["a preset's port", "@github:22", ["github.com:22/tcp"]],
];

const refused: readonly [name: string, text: string, problems: readonly [string, number][]][] = [
  ["one of one", "*", [["*", 1]]],
  [
    "every bad one with its column",
    "ok.example.com *, localhost",
    [
      ["*", 16],
      ["localhost", 19],
    ],
  ],
  [
    "the same twice",
    "! a.example.com !",
    [
      ["!", 1],
      ["!", 17],
    ],
  ],
  ["columns go on over lines", "a.example.com\n  b..com\n", [["b..com", 17]]],
  [
    "each kind of mistake",
    "a.example.com:0,x/icmp http://b.example.com\n1.2.3.4/33 @nopm host [::1",
    [
      ["a.example.com:0", 1],
      ["x/icmp", 17],
      ["http://b.example.com", 24],
      ["1.2.3.4/33", 45],
      ["@nopm", 56],
      ["host", 62],
      ["[::1", 67],
    ],
  ],
  ["long entries are cut", `x.${"a".repeat(100)}.com`, [[`x.${"a".repeat(78)}`, 1]]],
  ["semicolons separate nothing", "a.example.com;b.example.com", [["a.example.com;b.example.com", 1]]],
  ["a fullwidth comma separates nothing", "a.example.com，b..com", [["a.example.com，b..com", 1]]],
  ["quotes of a shell", "'*.example.com'", [["'*.example.com'", 1]]],
  [
    "a comment",
    "a.example.com # why",
    [
      ["#", 15],
      ["why", 17],
    ],
  ],
  [
    "what stands behind characters of two units",
    "💩.example:0 a..b",
    [
      ["💩.example:0", 1],
      ["a..b", 14],
    ],
  ],
];

describe("parseAllowlist", () => {
  for (const [name, text, entries] of accepted) {
    it(`accepts ${name}`, () => {
      const result = parseAllowlist(text, presets);
      assert.ok(result.ok, JSON.stringify(result));
      assert.deepEqual(result.entries.map(renderEntry), entries);
    });
  }
  for (const [name, text, problems] of refused) {
    it(`refuses ${name}`, () => {
      const result = parseAllowlist(text, presets);
      assert.ok(!result.ok);
      assert.deepEqual(
        result.problems.map(({ entry, column }) => [entry, column]),
        problems,
      );
    });
  }
  it("refuses a list that is too long, whatever stands in it", () => {
    const result = parseAllowlist("a.example.com ".repeat(80_000), presets);
    assert.ok(!result.ok);
    assert.match(result.problems[0]?.problem ?? "", /has 1120000 characters, but may have at most 1048576/);
  });
  it("tells a thousand problems, and where it stopped", () => {
    const result = parseAllowlist("@zq ".repeat(200_000), presets);
    assert.ok(!result.ok);
    assert.equal(result.problems.length, 1001);
    assert.match(
      result.problems.at(-1)?.problem ?? "",
      /stopped reading here; correct the entries before it/,
    );
    assert.equal(result.problems.at(-1)?.column, 4001);
  });
  it("renders a problem as one line, whatever the entry holds", () => {
    const result = parseAllowlist("ok.example.com exa\u001b[2Jmple.com", presets);
    assert.ok(!result.ok && result.problems[0] !== undefined);
    const sentence = renderProblem('network "web", label dockerwall.allow', result.problems[0]);
    assert.match(
      sentence,
      /^network "web", label dockerwall\.allow: entry "exa\\u001b\[2Jmple\.com" at column 16: /,
    );
  });
});
