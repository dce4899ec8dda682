import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { NETLINK_ROUTE, type NetlinkSocket, openNetlink } from "../../../src/edge/kernel/netlink/socket.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const RTMGRP_LINK = 1;

function openLinks(): NetlinkSocket {
  return openNetlink(NETLINK_ROUTE, "links", RTMGRP_LINK);
}

/** A socket of this very descriptor, which has just been closed: lower ones may have become free as well. */
function openLinksAs(fd: number): NetlinkSocket {
  const others: NetlinkSocket[] = [];
  try {
    for (;;) {
      const links = openLinks();
      if (links.fd === fd) return links;
      others.push(links);
      assert.ok(links.fd < fd, `descriptor ${fd} is taken`);
    }
  } finally {
    for (const other of others) other.close();
  }
}

/** A change is with every socket when the command that made it has ended; the loop then finds it in its next turn. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn();
}

function changeLinks(): void {
  run("ip", "link", "set", "lo", "mtu", "60000");
  run("ip", "link", "set", "lo", "mtu", "65536");
}

test("a netlink socket is reported while there is something to read, and not after", async () => {
  const readiness = createReadiness();
  const links = openLinks();
  let calls = 0;
  let messages = 0;
  readiness.watch(links.fd, () => {
    calls++;
    links.receive(() => messages++, 1);
  });
  await turns();
  assert.equal(calls, 0);
  changeLinks();
  await turns();
  assert.ok(messages >= 2);
  const settled = calls;
  await turns();
  assert.equal(calls, settled);
  readiness.close();
  links.close();
});

test("no call comes after unwatch, also when one was due", async () => {
  const readiness = createReadiness();
  const [first, second] = [openLinks(), openLinks()];
  const called: string[] = [];
  const unwatchFirst = readiness.watch(first.fd, () => {
    called.push("first");
    unwatchFirst();
    unwatchSecond();
  });
  const unwatchSecond = readiness.watch(second.fd, () => {
    called.push("second");
    unwatchFirst();
    unwatchSecond();
  });
  changeLinks();
  await turns();
  assert.equal(called.length, 1);
  first.close();
  second.close();
});

test("a descriptor that is used again calls only its new owner", async () => {
  const readiness = createReadiness();
  for (let i = 0; i < 20; i++) {
    const old = openLinks();
    let oldCalls = 0;
    const unwatch = readiness.watch(old.fd, () => oldCalls++);
    changeLinks();
    unwatch();
    closeSync(old.fd);
    const next = openLinksAs(old.fd);
    let nextCalls = 0;
    const unwatchNext = readiness.watch(next.fd, () => {
      nextCalls++;
      next.receive(() => undefined);
    });
    unwatch();
    await turns();
    assert.deepEqual([oldCalls, nextCalls], [0, 0]);
    changeLinks();
    await turns();
    assert.ok(nextCalls > 0 && oldCalls === 0);
    unwatchNext();
    next.close();
  }
});

test("promises are settled after a call", async () => {
  const readiness = createReadiness();
  const links = openLinks();
  let settled = false;
  readiness.watch(links.fd, () => {
    links.receive(() => undefined);
    void Promise.resolve().then(() => {
      settled = true;
    });
  });
  changeLinks();
  await turns();
  assert.equal(settled, true);
  readiness.close();
  links.close();
});

test("a worker thread watches by itself, and ends in the middle of events without taking the process down", async () => {
  for (let i = 0; i < 10; i++) {
    const worker = new Worker(new URL("../../support/readiness-worker.ts", import.meta.url));
    assert.deepEqual(await once(worker, "message"), ["ready"]);
    const changing = spawn("sh", ["-c", "while ip link set lo mtu 60000; do ip link set lo mtu 65536; done"]);
    assert.deepEqual(await once(worker, "message"), ["readable"]);
    worker.postMessage("end");
    assert.deepEqual(await once(worker, "exit"), [3]);
    changing.kill();
    await once(changing, "exit");
  }
});
