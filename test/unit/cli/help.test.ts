// Help fits a terminal of 80 columns, and says everything all the same.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderHelp } from "../../../src/cli/command.ts";
import { commands, renderOverview } from "../../../src/cli/commands.ts";
import { wrap } from "../../../src/cli/terminal/wrap.ts";

const columns = 80;

function assertFits(text: string): void {
  const wide = text.split("\n").filter((line) => line.length > columns);
  assert.deepEqual(wide, []);
}

describe("help", () => {
  it("of the program fits a terminal", () => assertFits(renderOverview("10.10.10")));
  for (const [name, { load }] of Object.entries(commands))
    it(`of ${name} fits a terminal, and names every option`, async () => {
      const command = await load();
      const help = renderHelp(name, command);
      assertFits(help);
      const flat = help.replaceAll(/\s+/g, " ");
      for (const [option, { help: said }] of Object.entries(command.options)) {
        assert.ok(flat.includes(`--${option}`), option);
        assert.ok(flat.includes(said.replaceAll(/\s+/g, " ")), said);
      }
      assert.ok(flat.includes(command.summary.replaceAll(/\s+/g, " ")));
      assert.doesNotMatch(help, /\b(somebody|whoever|someone)\b/i);
    });
});

describe("wrap", () => {
  const cases: readonly {
    readonly name: string;
    readonly text: string;
    readonly lines: readonly string[];
  }[] = [
    { name: "a short line", text: "a b c", lines: ["a b c"] },
    { name: "a long line, at words", text: "aaaa bbbb cccc", lines: ["aaaa bbbb", "cccc"] },
    { name: "each line by itself", text: "aaaa bbbb cccc\nd", lines: ["aaaa bbbb", "cccc", "d"] },
    { name: "a word that is too long", text: "a bbbbbbbbbbbb c", lines: ["a", "bbbbbbbbbbbb", "c"] },
    { name: "an indented line as it is", text: "  aaaa bbbb cccc", lines: ["  aaaa bbbb cccc"] },
    { name: "nothing", text: "", lines: [""] },
  ];
  for (const { name, text, lines } of cases) it(name, () => assert.deepEqual(wrap(text, 10), lines));
});
