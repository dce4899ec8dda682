// A sandbox is opened whole, or not at all, and closed whole: whichever descriptor of it is refused, and whatever fails as
// it is closed, none of the others stays open.

import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { closeSandbox, openSandbox, type Sandbox } from "../../../src/edge/sandbox/sandbox.ts";
import { within } from "../../support/descriptors.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

/** Sockets that this process has open, as the kernel names them. */
function openSockets(): string[] {
  const files = readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // That of the listing itself is closed by now.
      return [];
    }
  });
  return files.filter((file) => file.startsWith("socket:"));
}

/** Takes every free number of a descriptor up to the highest that is in use. @returns the first that is free then */
function takeFree(): number {
  const highest = Math.max(...readdirSync("/proc/self/fd").map(Number));
  let taken = openSync("/dev/null", "r");
  while (taken < highest) taken = openSync("/dev/null", "r");
  return taken + 1;
}

test("a sandbox of which any descriptor is refused leaves none open", async () => {
  const box = createNamespace("box");
  // What is opened once for the thread stays open.
  withNamespace(box.fd, () => undefined);
  const before = new Set(openSockets());
  const left = (): string[] => openSockets().filter((socket) => !before.has(socket));
  for (const [granted, what] of [
    "addresses of a sandbox",
    "the table of a sandbox",
    "a DNS socket",
    "a DNS socket",
  ].entries()) {
    const open = (): unknown => within(takeFree() + granted, () => openSandbox("box", box.fd, true));
    assert.throws(open, new RegExp(`${what}.*EMFILE`));
    // The owner of a table is closed a little later.
    await until(
      `no descriptor to be left after ${granted} were opened`,
      1_000,
      () => (left().length === 0 ? true : undefined),
      () => left().join(),
    );
  }
});

const failing: readonly [what: string, fail: (sandbox: Sandbox) => void][] = [
  [
    "its watch cannot be ended",
    (sandbox) => {
      sandbox.unwatch = () => assert.fail("no");
    },
  ],
  [
    "one of its listeners cannot be closed",
    (sandbox) => {
      const { udp, tcp } = sandbox.sockets;
      sandbox.listening = Promise.resolve([
        { close: () => Promise.reject(new Error("no")) },
        {
          close: async () => {
            for (const each of [udp, tcp]) if (each !== undefined) closeSync(each.fd);
          },
        },
      ]);
    },
  ],
];
for (const [what, fail] of failing)
  test(`a sandbox of which ${what} leaves nothing else open, and that is told`, async () => {
    const name = `closed-${what.length}`;
    const { fd } = createNamespace(name);
    withNamespace(fd, () => undefined);
    const before = new Set(openSockets());
    const sandbox = openSandbox(name, fd, true);
    const { udp, tcp } = sandbox.sockets;
    sandbox.listening = Promise.resolve(
      [udp, tcp].map((each) => ({ close: async () => closeSync(each?.fd ?? assert.fail()) })),
    );
    fail(sandbox);
    await assert.rejects(closeSandbox(sandbox), /no/);
    await until(
      "all sockets to be closed",
      1_000,
      () => (openSockets().every((socket) => before.has(socket)) ? true : undefined),
      () =>
        openSockets()
          .filter((socket) => !before.has(socket))
          .join(),
    );
    assert.throws(() => readlinkSync(`/proc/self/fd/${fd}`), { code: "ENOENT" });
  });
