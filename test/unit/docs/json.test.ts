// docs/json.md says what `--json` prints: from the types of the reports, and with every code of an error.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commandNames, loadCommand } from "../../../src/cli/commands.ts";
import { isErrorCode } from "../../../src/errors.ts";
import { assertPage } from "../../support/assert-page.ts";
import { renderJsonDocs } from "../../support/json-docs.ts";

const path = join(import.meta.dirname, "../../../docs/json.md");
const read = (): string => readFileSync(path, "utf8");

test("json: the shapes are those of the code (UPDATE_DOCS=1 writes them anew)", () => {
  const updated = read().replace(
    /(<!-- Written by .* -->\n)[\s\S]*(<!-- END -->)/,
    (_, begin: string, end: string) => `${begin}\n${renderJsonDocs()}\n${end}`,
  );
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(path, updated);
  const command = "UPDATE_DOCS=1 npm run test:one -- test/unit/docs/json.test.ts";
  assertPage("docs/json.md", { found: read(), expected: updated, command });
});

test("json: every command that prints JSON is on the page", async () => {
  const page = read();
  for (const name of commandNames) {
    const { options } = await loadCommand(name);
    if (!("json" in options)) continue;
    const listed = new RegExp(`^### (?:.*, )?${name}(?:,.*)?$|^\\| (?:.*, )?\`${name}\``, "m");
    assert.match(page, listed, name);
  }
});

/** Without its comments and texts, in which a brace closes nothing. */
const bare = (code: string): string => code.replaceAll(/\/\*\*[\s\S]*?\*\/|"[^"]*"/g, "");

test("json: every type on the page is whole", () => {
  const blocks = [...read().matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = ""]) => code);
  assert.ok(blocks.length > 5);
  for (const block of blocks) {
    assert.notEqual(block.trim(), "");
    for (const declaration of block.split(/\n(?=(?:interface|type) )/)) {
      const code = bare(declaration);
      for (const [open, close] of ["{}", "[]", "()"])
        assert.equal(code.split(open ?? "").length, code.split(close ?? "").length, declaration);
    }
  }
});

test("json: every kind of change that explain may advise is on the page", () => {
  const path = join(import.meta.dirname, "../../../src/core/path/verdict.ts");
  const [, ofChange = ""] = /^export type Change =\n((?: .*\n)+)/m.exec(readFileSync(path, "utf8")) ?? [];
  const kinds = [...ofChange.matchAll(/\bkind: "([^"]+)"/g)].map(([, kind]) => kind);
  const [, onPage = ""] = /^type Change =\n((?: .*\n)+)/m.exec(read()) ?? [];
  const told = [...onPage.matchAll(/\bkind: "([^"]+)"/g)].map(([, kind]) => kind);
  assert.ok(kinds.length >= 9);
  assert.deepEqual(told, kinds);
});

test("json: every code of an error is on the page, and no other", () => {
  const [, list = ""] = /The codes are ([\s\S]*?)\./.exec(read()) ?? [];
  const codes = list.match(/[A-Z_]{4,}/g) ?? [];
  const source = readFileSync(join(import.meta.dirname, "../../../src/errors.ts"), "utf8");
  const [, table = ""] = /const exitCodes = \{([\s\S]*?)\}/.exec(source) ?? [];
  const known = [...table.matchAll(/^ {2}([A-Z_]+):/gm)].map(([, code]) => code);
  assert.ok(known.length > 10 && known.every(isErrorCode));
  assert.deepEqual(codes.toSorted(), known.toSorted());
});
