// A file in a root folder that its owner may have made anything of: links lead nowhere but inside of it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { readInsideRoot } from "../../../../../src/edge/engine/files/inside-root.ts";

const folder = mkdtempSync(join(tmpdir(), "inside-root-"));
const root = join(folder, "root");
mkdirSync(join(root, "etc"), { recursive: true });
mkdirSync(join(root, "run/systemd"), { recursive: true });
writeFileSync(join(folder, "secret"), "of the host");
writeFileSync(join(root, "secret"), "its own");
writeFileSync(join(root, "run/systemd/stub"), "the stub's");
after(() => rmSync(folder, { recursive: true }));

describe("a file in a root folder", () => {
  const links: readonly [what: string, path: string, target: string, expected: string | undefined][] = [
    ["a link beside it", "etc/beside", "../run/systemd/stub", "the stub's"],
    ["an absolute link", "etc/absolute", "/run/systemd/stub", "the stub's"],
    ["a link that leads up beyond the root", "etc/up", "../../../../../secret", "its own"],
    ["an absolute link to a file of the host", "etc/far", join(folder, "secret"), undefined],
    ["a link to itself", "etc/loop", "loop", undefined],
    ["a link to a folder", "etc/run", "/run", undefined],
    ["a link to nothing", "etc/nothing", "gone", undefined],
  ];
  for (const [what, path, target, expected] of links)
    it(what, () => {
      symlinkSync(target, join(root, path));
      assert.equal(readInsideRoot(root, `/${path}`), expected);
    });

  it("through a folder that is a link out of the root", () => {
    symlinkSync(folder, join(root, "out"));
    assert.equal(readInsideRoot(root, "/out/secret"), undefined);
    symlinkSync("/", join(root, "top"));
    assert.equal(readInsideRoot(root, "/top/secret"), "its own");
    assert.equal(readInsideRoot(root, "/etc/../../secret"), "its own");
  });

  it("is not read when it is a pipe, a device or too deep", () => {
    execFileSync("sh", ["-c", 'mkfifo "$0"', join(root, "etc/pipe")]);
    symlinkSync("/etc/pipe", join(root, "etc/to-pipe"));
    for (const path of ["/etc/pipe", "/etc/to-pipe", "/etc", "/", "/etc/gone"])
      assert.equal(readInsideRoot(root, path), undefined, path);
    const deep = Array.from({ length: 40 }, () => "d").join("/");
    mkdirSync(join(root, deep), { recursive: true });
    writeFileSync(join(root, deep, "file"), "deep");
    assert.equal(readInsideRoot(root, `/${deep}/file`), undefined);
    assert.equal(readInsideRoot("/dev", "/zero"), undefined);
  });

  it("is read as far as it is not too long, and leaves nothing open", () => {
    const before = readdirSync("/proc/self/fd").length;
    writeFileSync(join(root, "etc/long"), "x".repeat(300 * 1024));
    assert.equal(readInsideRoot(root, "/etc/long")?.length, 256 * 1024);
    assert.equal(readInsideRoot(join(root, "gone"), "/etc/long"), undefined);
    assert.equal(readInsideRoot(root, "/etc/loop"), undefined);
    assert.equal(readdirSync("/proc/self/fd").length, before);
  });
});
