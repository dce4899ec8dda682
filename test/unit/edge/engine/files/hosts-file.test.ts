// A file that a container may have made anything of.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { readHostsFile } from "../../../../../src/edge/engine/files/hosts-file.ts";

const root = mkdtempSync(join(tmpdir(), "hosts-file-"));
after(() => rmSync(root, { recursive: true }));

describe("the file for /etc/hosts", () => {
  it("is read as it is", () => {
    writeFileSync(join(root, "plain"), "203.0.113.1 www.example.com\n");
    assert.equal(readHostsFile(root, "/plain"), "203.0.113.1 www.example.com\n");
  });

  it("is read as far as it is not too long", () => {
    writeFileSync(join(root, "long"), "x".repeat(300 * 1024));
    assert.equal(readHostsFile(root, "/long")?.length, 256 * 1024);
  });

  const others: readonly [what: string, make: (path: string) => void][] = [
    ["is gone", () => {}],
    ["is a folder", (path) => mkdirSync(path)],
    ["is a link", (path) => symlinkSync("plain", path)],
    ["is a pipe", (path) => execFileSync("sh", ["-c", 'mkfifo "$0"', path])],
  ];
  for (const [what, make] of others)
    it(`is not read when it ${what}`, () => {
      const name = what.replaceAll(" ", "-");
      make(join(root, name));
      assert.equal(readHostsFile(root, `/${name}`), undefined);
    });
});
