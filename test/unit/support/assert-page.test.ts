import assert from "node:assert/strict";
import { test } from "node:test";
import { assertPage } from "../../support/assert-page.ts";

const command = "UPDATE_DOCS=1 npm test";
const page = (...lines: readonly (string | number)[]): string => lines.join("\n");

function told(found: string, expected: string): string | undefined {
  try {
    assertPage("page.md", { found, expected, command });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : assert.fail();
  }
}

const head = "is not what the code says, from line";
const cases: readonly [name: string, found: string, expected: string, told: string | undefined][] = [
  ["the same", page(1, 2), page(1, 2), undefined],
  [
    "the first lines that differ, and no more",
    page(1, 2, 3, 4, 5, 6),
    page(1, "two", 3, 4, 5, 6),
    page(`page.md ${head} 2 on (- as it is, + as it should be):`, "- 2", "- 3", "- 4", "+ two", "+ 3", "+ 4"),
  ],
  [
    "what is missing at the end",
    page(1),
    page(1, 2),
    page(`page.md ${head} 2 on (- as it is, + as it should be):`, "+ 2"),
  ],
  [
    "what is too much at the end",
    page(1, 2),
    page(1),
    page(`page.md ${head} 2 on (- as it is, + as it should be):`, "- 2"),
  ],
];

for (const [name, found, expected, text] of cases)
  test(`of a page is told: ${name}`, () =>
    assert.equal(told(found, expected), text && page(text, `To write it anew: ${command}`)));
