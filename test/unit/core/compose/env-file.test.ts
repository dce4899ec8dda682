// `.env` files are read as Compose reads them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseEnvFile } from "../../../../src/core/compose/env-file.ts";

const lookup = (name: string): string | undefined => (name === "SET" ? "set" : undefined);
const read = (text: string): Record<string, string> => {
  const { variables, problems } = parseEnvFile(".env", text, lookup);
  assert.deepEqual(problems, []);
  return Object.fromEntries(variables);
};

const cases: readonly [name: string, text: string, variables: Record<string, string>][] = [
  ["nothing", "\n# only a comment\n\n", {}],
  ["plain values", "A=1\nB = two words  \n", { A: "1", B: "two words" }],
  ["the form of YAML, and export", "A: 1\nexport B=2\nexported=3", { A: "1", B: "2", exported: "3" }],
  ["comments behind a space only", "A=b # c\nB=b#c\nC= # c\n", { A: "b", B: "b#c", C: "" }],
  ["lines that end as on Windows", "A=1\r\nB='2'\r\n", { A: "1", B: "2" }],
  ["single quotes, where nothing is filled in", "A='$SET # \"x\"\\n'", { A: '$SET # "x"\\n' }],
  ["an escaped single quote", "A='it\\'s'", { A: "it's" }],
  ["double quotes with escapes", 'A="a\\tb\\n\\"c\\" \\$SET \\\\"', { A: 'a\tb\n"c" $SET \\' }],
  ["a comment behind quotes", "A=\"x # y\" # z\nB='w'", { A: "x # y", B: "w" }],
  ["values over several lines", 'A="one\ntwo"\nB=3', { A: "one\ntwo", B: "3" }],
  [
    "variables set before, there or outside",
    'A=x\nB=$A-${SET}\nC="${A}${MISSING:-y}"',
    { A: "x", B: "x-set", C: "xy" },
  ],
  ["names alone, from the environment", "SET\nMISSING\nA=1", { SET: "set", A: "1" }],
  ["an empty value", "A=\nB=1", { A: "", B: "1" }],
  [
    "an allowlist",
    'ALLOW="*.example.com !ads.example.com @npm:443"',
    { ALLOW: "*.example.com !ads.example.com @npm:443" },
  ],
];

describe("parseEnvFile", () => {
  for (const [name, text, variables] of cases)
    it(`reads ${name}`, () => assert.deepEqual(read(text), variables));

  it("tells what it cannot read, with the line", () => {
    const problemsOf = (text: string): string[] =>
      parseEnvFile(".env", text, lookup).problems.map(
        ({ place, text: problem }) => `${place.line}: ${problem}`,
      );
    assert.deepEqual(problemsOf('A=1\n\nB="x\n'), ["3: the quote of B is not closed"]);
    assert.deepEqual(problemsOf("A=1\n=2"), ['2: it is no NAME=VALUE: "=2"']);
    assert.deepEqual(problemsOf("A b=2"), ['1: it is no NAME=VALUE: "A b=2"']);
    assert.deepEqual(problemsOf("A=${B:?b}\nC=1"), ["1: A: the variable B must be set: b"]);
  });

  it("keeps any single-quoted value", () => {
    const value = fc.string().map((text) => text.replaceAll(/['\\\r]/g, ""));
    fc.assert(fc.property(value, (text) => assert.deepEqual(read(`A='${text}'\n`), { A: text })));
  });
  it("ends on whatever it is given", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("A", "=", '"', "'", "\\", "\n", " ", "#", "$") }),
        (text) => {
          parseEnvFile(".env", text, lookup);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
