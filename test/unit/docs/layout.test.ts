// A folder is something that can be taken in at a glance; who may import whom is checked by the linter.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";

const src = join(import.meta.dirname, "../../../src");
const filesAtMost = 14;

const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map(({ parentPath, name }) => ({ folder: relative(src, parentPath), name }));

/** The folders of src that hold code, with the number of files directly in them. Commands are one file each. */
const folders = files.map(({ folder }) => folder).filter((folder) => folder !== "cli");

for (const [folder, inIt] of Map.groupBy(folders, (each) => each)) {
  test(`layout: src/${folder} holds ${filesAtMost} files at most`, () => {
    assert.ok(inIt.length <= filesAtMost, `${inIt.length} files`);
  });
}

/** The files of src whose text contains this. */
const filesWith = (text: string): readonly string[] =>
  files
    .map(({ folder, name }) => join(folder, name))
    .filter((file) => readFileSync(join(src, file), "utf8").includes(text));

test("layout: bytes of others are read by our own code; the library is for our own questions", () => {
  assert.deepEqual(filesWith('from "dns-packet"'), ["core/dns/probe.ts"]);
});

test("layout: one function repeats work in both planes", () => {
  assert.deepEqual(filesWith("function every("), ["edge/host/every.ts"]);
});
