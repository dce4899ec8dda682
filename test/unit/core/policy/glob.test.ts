import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { GlobTable } from "../../../../src/core/policy/glob.ts";

const labels: readonly [pattern: string, matches: readonly string[], others: readonly string[]][] = [
  ["*", ["a", "abc"], []],
  ["a*", ["a", "ab", "aaa"], ["b", "ba"]],
  ["*a", ["a", "ba", "aaa"], ["b", "ab"]],
  ["a*b", ["ab", "axb", "abab"], ["a", "b", "aba"]],
  ["a*b*c", ["abc", "axbxc", "abcbc", "aabbcc"], ["acb", "ab", "abcx"]],
  ["*a*", ["a", "bab"], ["b"]],
  ["*aab", ["aab", "aaab", "aaaaab", "baab"], ["aa", "aaba"]],
  ["build-*", ["build-", "build-1", "build-a-b"], ["build", "xbuild-1"]],
  ["*-*-*", ["--", "a-b-c", "a-b-c-d"], ["-", "a-b"]],
];

const tables: readonly [patterns: string, name: string, found: string][] = [
  ["build-*.ci.example.com", "build-7.ci.example.com", "build-*.ci.example.com"],
  ["build-*.ci.example.com", "build-.ci.example.com", "build-*.ci.example.com"],
  ["build-*.ci.example.com", "ci.example.com", ""],
  ["build-*.ci.example.com", "a.build-7.ci.example.com", ""],
  ["build-*.ci.example.com", "build-7.a.ci.example.com", ""],
  ["build-*.ci.example.com", "build-7.ci.example.com.evil.org", ""],
  ["build-*.ci.example.com", "build-7\\.ci.example.com", ""],
  ["build-*.ci.example.com", "build-a\\.b.ci.example.com", "build-*.ci.example.com"],
  // A byte that is written as an escape is one character, and no digit of it is one.
  ["web*01.ci.example.com", "web\\001.ci.example.com", ""],
  ["web*01.ci.example.com", "web\\00101.ci.example.com", "web*01.ci.example.com"],
  ["web*1.ci.example.com", "web\\(\\0311.ci.example.com", "web*1.ci.example.com"],
  ["web*1.ci.example.com", "web\\201.ci.example.com", ""],
  ["*032.ci.example.com", "\\032.ci.example.com", ""],
  ["a*0*b.ci.example.com", "a\\001b.ci.example.com", ""],
  ["a*.ci.example.com", "a\\001\\..ci.example.com", "a*.ci.example.com"],
  ["a*.*1.example.com", "a\\..\\001.example.com", ""],
  ["build-*.ci.example.com", "build-7.cix.example.com", ""],
  ["api.*.example.com", "api.eu.example.com", "api.*.example.com"],
  ["api.*.example.com", "api.example.com", ""],
  ["api.*.example.com", "api.a.b.example.com", ""],
  ["api.*.example.com", "x.api.eu.example.com", ""],
  ["api.*.example.com", "ap.eu.example.com", ""],
  ["a*.*.b*.example.com", "ax.y.bz.example.com", "a*.*.b*.example.com"],
  ["a*.*.b*.example.com", "ax.y.z.example.com", ""],
  ["a*.*.b*.example.com", "x.y.bz.example.com", ""],
  [
    "a*.x.example.com ab*.x.example.com abc.*.example.com",
    "abc.x.example.com",
    "abc.*.example.com a*.x.example.com ab*.x.example.com",
  ],
  ["*-a.example.com *-b.example.com", "x-b.example.com", "*-b.example.com"],
  ["a*.example.com a*.example.com", "ab.example.com", "a*.example.com a*.example.com"],
  ["*-a*b-c.example.com", "x-ab-c.example.com", "*-a*b-c.example.com"],
  ["aa*aa.example.com", "aaa.example.com", ""],
  ["aa*aa.example.com", "aaaa.example.com", "aa*aa.example.com"],
  ["a*z.example.com b*z.example.com a*y.example.com *.x.example.com", "abz.example.com", "a*z.example.com"],
  ["a*.*.example.com b*.*.example.com", "b1.x.example.com", "b*.*.example.com"],
  ["a*.example.com", "", ""],
  ["a*.example.com", "com", ""],
  ["a*.example.com", "example.com", ""],
];

describe("a `*` inside of a label", () => {
  const labelMatches = (pattern: string, label: string): boolean =>
    match([`${pattern}.b.a`], `${label}.b.a`) !== "";
  for (const [pattern, matches, others] of labels) {
    for (const label of matches)
      it(`${pattern} matches ${label}`, () => assert.ok(labelMatches(pattern, label)));
    for (const label of others)
      it(`${pattern} does not match ${label}`, () => assert.ok(!labelMatches(pattern, label)));
  }

  it("stands for what `.*` stands for in a regular expression", () => {
    const text = (characters: readonly string[]) =>
      fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        text(["a", "b", "*"]).filter((pattern) => pattern.includes("*")),
        text(["a", "b"]),
        (pattern, label) => {
          const oracle = new RegExp(`^${pattern.replaceAll("*", ".*")}$`);
          assert.equal(labelMatches(pattern, label), oracle.test(label));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("takes no longer than the product of both lengths", () => {
    const from = performance.now();
    for (let round = 0; round < 1000; round++) labelMatches(`${"*a".repeat(31)}b`, "a".repeat(63));
    assert.ok(performance.now() - from < 2000);
  });
});

describe("GlobTable", () => {
  for (const [patterns, name, found] of tables) {
    it(`${patterns}: ${JSON.stringify(name)}`, () => assert.equal(match(patterns.split(" "), name), found));
  }

  it("says of random patterns what regular expressions say", () => {
    const label = fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1, maxLength: 4 });
    const pattern = fc
      .array(label, { minLength: 1, maxLength: 3 })
      .map((found) => [...found, "b", "a"].join("."));
    const word = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 });
    const name = fc.array(word, { maxLength: 4 }).map((found) => [...found, "b", "a"].join("."));
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 20 }), name, (patterns, wanted) => {
        const globs = patterns.filter((text) => text.includes("*"));
        const naive = globs.filter((glob) =>
          new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", "[^.]*")}$`).test(wanted),
        );
        assert.deepEqual(match(globs, wanted).split(" ").toSorted(), naive.join(" ").split(" ").toSorted());
      }),
      { numRuns: 1000 },
    );
  });
});

function match(patterns: readonly string[], name: string): string {
  const table = new GlobTable<string>();
  for (const pattern of patterns) table.add(pattern, pattern);
  return table.match(name).join(" ");
}
