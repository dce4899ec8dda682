// A folder is something that can be taken in at a glance; who may import whom is checked by the linter.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";

const src = join(import.meta.dirname, "../../../src");
const filesAtMost = 14;

/** The folders of src that hold code, with the number of files directly in them. Commands are one file each. */
const folders = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map(({ parentPath }) => relative(src, parentPath))
  .filter((folder) => folder !== "cli");

for (const [folder, files] of Map.groupBy(folders, (each) => each)) {
  test(`layout: src/${folder} holds ${filesAtMost} files at most`, () => {
    assert.ok(files.length <= filesAtMost, `${files.length} files`);
  });
}
