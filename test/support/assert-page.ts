// A file that is written from the code, compared with what the code would write: only where they differ is printed.

import assert from "node:assert/strict";

/** Lines that are shown of each. */
const shown = 3;

/** @param command writes it anew */
export function assertPage(
  name: string,
  {
    found,
    expected,
    command,
  }: { readonly found: string; readonly expected: string; readonly command: string },
): void {
  if (found === expected) return;
  const [has, should] = [found.split("\n"), expected.split("\n")];
  const first = has.findIndex((line, index) => line !== should[index]);
  // Of a file that ends too soon, all lines are as they should be.
  const from = first < 0 ? has.length : first;
  const lines = (sign: string, of: readonly string[]): readonly string[] =>
    of.slice(from, from + shown).map((line) => `${sign} ${line}`);
  assert.fail(
    [
      `${name} is not what the code says, from line ${from + 1} on (- as it is, + as it should be):`,
      ...lines("-", has),
      ...lines("+", should),
      `To write it anew: ${command}`,
    ].join("\n"),
  );
}
