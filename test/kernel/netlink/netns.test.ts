import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  isOwnNamespace,
  namespaceInode,
  openNamespace,
  withNamespace,
  withNewNamespace,
} from "../../../src/edge/kernel/netns.ts";
import { createNamespace, enterNamespaces } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

function currentInode(): number {
  return namespaceInode("/proc/thread-self/ns/net");
}

test("work is done in the other namespace, and what follows in our own", () => {
  const home = currentInode();
  const box = createNamespace("box");
  box.run("ip", "link", "set", "lo", "up");
  const inside = withNamespace(box.fd, () => ({
    inode: currentInode(),
    interfaces: Object.keys(networkInterfaces()),
  }));
  assert.deepEqual(inside, { inode: namespaceInode(box.path), interfaces: ["lo"] });
  assert.notEqual(inside.inode, home);
  assert.equal(currentInode(), home);
});

test("a new namespace has nothing in it but its own loopback", () => {
  const home = currentInode();
  const inside = withNewNamespace(() => ({
    inode: currentInode(),
    links: readdirSync("/proc/thread-self/net/dev_snmp6"),
  }));
  assert.notEqual(inside.inode, home);
  assert.deepEqual(inside.links, ["lo"]);
  assert.equal(currentInode(), home);
});

test("the way back is taken when the work throws, and entering twice is refused", () => {
  const home = currentInode();
  const box = createNamespace("throwing");
  assert.throws(
    () =>
      withNamespace(box.fd, () => {
        throw new RangeError("inside");
      }),
    RangeError,
  );
  assert.throws(() => withNamespace(box.fd, () => withNamespace(box.fd, () => 0)), { code: "INTERNAL" });
  assert.equal(currentInode(), home);
  assert.equal(
    withNamespace(box.fd, () => 1),
    1,
  );
});

test("a descriptor that is no namespace cannot be entered", () => {
  const fd = openNamespace("/proc/self/ns/mnt");
  assert.ok(fd !== undefined);
  assert.throws(() => withNamespace(fd, () => 0), { code: "KERNEL_REFUSED", errnoName: "EINVAL" });
  closeSync(fd);
  assert.throws(() => withNamespace(fd, () => 0), { errnoName: "EBADF" });
});

test("only a file with a namespace on it is opened", () => {
  const box = createNamespace("opened");
  writeFileSync("/run/empty", "");
  for (const path of ["/run/empty", "/run/missing", "/run", "/dev/null"])
    assert.equal(openNamespace(path), undefined);
  const fd = openNamespace(box.path);
  assert.ok(fd !== undefined);
  assert.equal(namespaceInode(fd), namespaceInode(box.path));
  assert.equal(isOwnNamespace(fd), false);
  const own = openNamespace("/proc/self/ns/net");
  assert.ok(own !== undefined && isOwnNamespace(own));
  assert.equal(readlinkSync(`/proc/self/fd/${own}`), `net:[${currentInode()}]`);
});

for (const thread of ["main", "worker"]) {
  test(`the process ends at once when its ${thread} thread cannot come back`, () => {
    const box = createNamespace(`lost-${thread}`);
    const script = fileURLToPath(new URL("../../support/lost-way-home.ts", import.meta.url));
    const flags = process.execArgv.filter((flag) => !flag.startsWith("--test"));
    const ended = spawnSync(process.execPath, [...flags, script, box.path, thread], { encoding: "utf8" });
    assert.equal(ended.signal, "SIGABRT");
    assert.match(ended.stderr, /dockerwall: setns failed for the way back/);
    assert.equal(ended.stdout, "");
  });
}
