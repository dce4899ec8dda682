import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openHostResolvers } from "../../../../src/edge/host/resolvers.ts";

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

const ignore = (): void => undefined;
const at = (address: string) => [{ address, port: 53 }];

test("a change is reported once, and what is of no use changes nothing", () => {
  inRoot((root) => {
    const file = join(root, "etc/resolv.conf");
    writeFileSync(file, "nameserver 192.0.2.1\n");
    const resolvers = openHostResolvers(root, ignore);
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
      assert.deepEqual(openHostResolvers(root, ignore).read(), at("127.0.0.53"));
    });
  });
}

test("links in a circle, and no file at all, say what to do", () => {
  inRoot((root) => {
    symlinkSync("/etc/resolv.conf", join(root, "etc/resolv.conf"));
    const refusal = { code: "BAD_CONFIG", message: /set DOCKERWALL_UPSTREAM/ };
    assert.throws(() => openHostResolvers(root, ignore).read(), refusal);
    rmSync(join(root, "etc/resolv.conf"));
    assert.throws(() => openHostResolvers(root, ignore).read(), refusal);
  });
});

test("a server that cannot be used is one problem while it stands there", () => {
  inRoot((root) => {
    const file = join(root, "etc/resolv.conf");
    const problems: string[] = [];
    const resolvers = openHostResolvers(root, (problem) => problems.push(problem));
    const zone = "nameserver fe80::1%eth0\n";
    writeFileSync(file, `${zone}nameserver 192.0.2.1\n`);
    assert.deepEqual(resolvers.read(), at("192.0.2.1"));
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", /^\/etc\/resolv\.conf: line 1: .*zone, which is not supported/);
    writeFileSync(file, `${zone}nameserver 192.0.2.2\n`);
    assert.deepEqual(resolvers.reread(), at("192.0.2.2"));
    assert.equal(problems.length, 1);
    writeFileSync(file, "nameserver nonsense\nnameserver 192.0.2.2\n");
    resolvers.reread();
    assert.match(problems[1] ?? "", /"nonsense" is not an address/);
    writeFileSync(file, `${zone}nameserver 192.0.2.2\n`);
    resolvers.reread();
    assert.equal(problems.length, 3);
  });
});

test("the servers behind systemd-resolved's stub come with it, and are followed", () => {
  inRoot((root) => {
    const behind = join(root, "run/systemd/resolve/resolv.conf");
    mkdirSync(join(root, "run/systemd/resolve"), { recursive: true });
    writeFileSync(join(root, "etc/resolv.conf"), "nameserver 127.0.0.53\nnameserver 192.0.2.9\n");
    const resolvers = openHostResolvers(root, ignore);
    assert.deepEqual(resolvers.read(), [...at("127.0.0.53"), ...at("192.0.2.9")]);
    for (const address of ["198.18.0.53", "198.18.0.54"]) {
      writeFileSync(behind, `nameserver ${address}\n`);
      const [first] = at("127.0.0.53");
      assert.deepEqual(resolvers.reread(), [{ ...first, leadsTo: [address] }, ...at("192.0.2.9")]);
      assert.equal(resolvers.reread(), undefined);
    }
  });
});
