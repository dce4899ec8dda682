import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openHostResolvers } from "../../src/io/host-resolvers.ts";

/** Runs with a folder that plays the engine's root. */
function inRoot(work: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), "dockerwall-root-"));
  try {
    mkdirSync(join(root, "etc"));
    mkdirSync(join(root, "run/resolve"), { recursive: true });
    work(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const at = (address: string) => [{ address, port: 53 }];

test("a change is told once, and what is of no use changes nothing", () => {
  inRoot((root) => {
    const file = join(root, "etc/resolv.conf");
    writeFileSync(file, "nameserver 192.0.2.1\n");
    const resolvers = openHostResolvers(root);
    assert.deepEqual(resolvers.read(), at("192.0.2.1"));
    assert.equal(resolvers.reread(), undefined);
    writeFileSync(`${file}.new`, "nameserver 192.0.2.2\n");
    renameSync(`${file}.new`, file);
    assert.deepEqual(resolvers.reread(), at("192.0.2.2"));
    assert.equal(resolvers.reread(), undefined);
    writeFileSync(file, "");
    assert.equal(resolvers.reread(), undefined);
    writeFileSync(file, "nameserver nonsense\n");
    assert.equal(resolvers.reread(), undefined);
    rmSync(file);
    assert.equal(resolvers.reread(), undefined);
    writeFileSync(file, "nameserver 192.0.2.3\n");
    assert.deepEqual(resolvers.reread(), at("192.0.2.3"));
  });
});

for (const [kind, target] of [
  ["a relative link", "../run/resolve/stub.conf"],
  ["an absolute link", "/run/resolve/stub.conf"],
] as const) {
  test(`${kind} leads to a file of the same root`, () => {
    inRoot((root) => {
      writeFileSync(join(root, "run/resolve/stub.conf"), "nameserver 127.0.0.53\n");
      symlinkSync(target, join(root, "etc/resolv.conf"));
      assert.deepEqual(openHostResolvers(root).read(), at("127.0.0.53"));
    });
  });
}

test("links in a circle, and no file at all, say what to do", () => {
  inRoot((root) => {
    symlinkSync("/etc/resolv.conf", join(root, "etc/resolv.conf"));
    const refusal = { code: "BAD_CONFIG", message: /set DOCKERWALL_UPSTREAM/ };
    assert.throws(() => openHostResolvers(root).read(), refusal);
    rmSync(join(root, "etc/resolv.conf"));
    assert.throws(() => openHostResolvers(root).read(), refusal);
  });
});
