// Help fits a terminal of 80 columns, and says everything all the same.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Command, parseArguments, renderHelp } from "../../../src/cli/command.ts";
import { commandNames, loadCommand, renderOverview } from "../../../src/cli/commands.ts";
import { wrap } from "../../../src/cli/terminal/wrap.ts";

const columns = 80;

function assertFits(text: string): void {
  const wide = text.split("\n").filter((line) => line.length > columns);
  assert.deepEqual(wide, []);
}

describe("help", () => {
  it("of the program fits a terminal, and has every command", async () => {
    const overview = await renderOverview("10.10.10");
    assertFits(overview);
    const listed = [...overview.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name);
    assert.deepEqual(listed, commandNames);
  });
  for (const name of commandNames)
    it(`of ${name} fits a terminal, and names every option`, async () => {
      const command = await loadCommand(name);
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

describe("operands", () => {
  const cases: readonly { readonly operands: string; readonly least: number; readonly most: number }[] = [
    { operands: "", least: 0, most: 0 },
    { operands: "CONTAINER", least: 1, most: 1 },
    { operands: "[NAME]", least: 0, most: 1 },
    { operands: "NAME PATTERN...", least: 2, most: Number.POSITIVE_INFINITY },
    { operands: "NETWORK [CONTAINER=ENTRIES...]", least: 1, most: Number.POSITIVE_INFINITY },
    { operands: "[FILE...|ENTRY...]", least: 0, most: Number.POSITIVE_INFINITY },
  ];
  for (const { operands, least, most } of cases)
    it(`"${operands}" are ${least} to ${most}`, () => {
      const command: Command = { operands, summary: "", details: "", options: {}, run: async () => 0 };
      const takes = (count: number) => parseArguments("x", command, Array<string>(count).fill("a"));
      assert.doesNotThrow(() => takes(least));
      if (least > 0) assert.throws(() => takes(least - 1), /needs more arguments/);
      if (most < 9) assert.throws(() => takes(most + 1), /has too many arguments/);
      else assert.doesNotThrow(() => takes(9));
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
