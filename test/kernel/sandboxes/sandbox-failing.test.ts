// A sandbox that cannot be classified at first, because the kernel refuses something: it is captured, a socket listens in
// it, and its question is answered as soon as it is known where it stands.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import type { Standing } from "../../../src/core/askers/standing.ts";
import { NetlinkSocket } from "../../../src/edge/kernel/netlink/socket.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { askInSandbox } from "../../../src/edge/sandbox/lookups/relay.ts";
import { createSandboxes } from "../../../src/edge/sandbox/sandboxes.ts";
import { until } from "../../support/lab/command.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const guarded: Standing = { kind: "guarded", memberships: [], settled: true, mayLose: false };
type RequestArguments = Parameters<NetlinkSocket["request"]>;
const openFiles = (): number => readdirSync("/proc/self/fd").length;

const owedProblem =
  "what was decided of 1 container(s) is not wholly in force, and is tried again (sandbox box: a set is missing)";

test("a sandbox whose classification fails is listened in, and classified later by itself", async () => {
  run("mkdir", "-p", "/run/netns");
  const told: (string | undefined)[] = [];
  const gone: string[] = [];
  let waiting = 0;
  let fails = true;
  const readiness = createReadiness();
  const before = openFiles();
  const sandboxes = createSandboxes({
    folder: "/run/netns",
    readiness,
    onAppear: () => undefined,
    enforce() {
      if (fails) throw new Error("a set is missing");
      return guarded;
    },
    closedIn: () => undefined,
    commit: () => new Map(),
    isTold: () => false,
    portsWait: () => false,
    onQuery: ({ message, reply }) => reply(message),
    onGone: (name) => gone.push(name),
    onUnanswerable: ({ reply }) => reply(undefined),
    onUnknown: () => waiting++,
    onAddressLost: () => undefined,
    mayEngineAsk: () => false,
    onLate: () => undefined,
    onUnseen: () => undefined,
    onChange: (_captured, problem) => told.push(problem),
    onProblem: (problem) => assert.fail(problem),
  });
  const box = createNamespace("box");
  box.run("ip", "link", "set", "lo", "up");
  sandboxes.captureNow();
  assert.equal(told.at(-1), owedProblem);
  assert.equal(sandboxes.isComplete(), true);

  const question = Uint8Array.of(1, 2, 3);
  const answer = askInSandbox(box.fd, question);
  await until("the question to wait", 3_000, () => (waiting > 0 ? true : undefined));
  fails = false;
  assert.deepEqual(new Uint8Array(await answer), question);
  assert.deepEqual([...new Set(told)], [undefined, owedProblem]);
  assert.equal(told.at(-1), undefined);

  // Nothing of it stays open when it is gone.
  run("ip", "netns", "delete", "box");
  await until("its end", 5_000, () => (gone.length > 0 ? true : undefined));
  await sandboxes.releaseAll();
  readiness.close();
  const own = 1;
  await until(
    "everything to be closed",
    5_000,
    () => (openFiles() <= before + own ? true : undefined),
    () => `${openFiles()} open, ${before} before`,
  );
});

test("what keeps back what leaves by new interfaces is put in later where the kernel refuses it at first", async (t) => {
  const { request } = NetlinkSocket.prototype;
  let refusals = 2;
  t.mock.method(
    NetlinkSocket.prototype,
    "request",
    function (this: NetlinkSocket, ...args: RequestArguments) {
      if (args[0] === "the table dockerwall-hold in a sandbox" && refusals-- > 0)
        throw new Error("no buffer space");
      request.apply(this, args);
    },
  );
  const told: (string | undefined)[] = [];
  const readiness = createReadiness();
  const sandboxes = createSandboxes({
    folder: "/run/netns",
    readiness,
    onAppear: () => undefined,
    enforce: () => guarded,
    closedIn: () => undefined,
    commit: () => new Map(),
    isTold: () => false,
    portsWait: () => false,
    onQuery: () => undefined,
    onGone: () => undefined,
    onUnanswerable: () => undefined,
    onUnknown: () => undefined,
    onAddressLost: () => undefined,
    mayEngineAsk: () => false,
    onLate: () => undefined,
    onUnseen: () => undefined,
    onChange: (_captured, problem) => told.push(problem),
    onProblem: (problem) => assert.fail(problem),
  });
  t.after(async () => {
    await sandboxes.releaseAll();
    readiness.close();
  });
  const box = createNamespace("held");
  box.run("ip", "link", "set", "lo", "up");
  sandboxes.captureNow();
  assert.match(told.at(-1) ?? "", /not wholly in force.*\(sandbox held: no buffer space\)/);
  assert.doesNotMatch(box.run("nft", "list", "tables"), /hold/);
  await until("the hold", 5_000, () => (told.at(-1) === undefined ? true : undefined));
  assert.match(box.run("nft", "list", "tables"), /hold/);
  run("ip", "netns", "delete", "held");
});

test("a sandbox whose capture is refused is classified by its addresses, and is no problem where it is open by them", async (t) => {
  const { request } = NetlinkSocket.prototype;
  let fails = true;
  t.mock.method(
    NetlinkSocket.prototype,
    "request",
    function (this: NetlinkSocket, ...args: RequestArguments) {
      if (fails && args[0] === "the table dockerwall in a sandbox") throw new Error("no buffer space");
      request.apply(this, args);
    },
  );
  const told: (string | undefined)[] = [];
  const readiness = createReadiness();
  const sandboxes = createSandboxes({
    folder: "/run/netns",
    readiness,
    onAppear: () => undefined,
    enforce: ({ addresses }): Standing =>
      addresses.some(({ address }) => address === "198.19.9.2") ? { kind: "open" } : { kind: "unknown" },
    closedIn: () => undefined,
    commit: () => new Map(),
    isTold: () => false,
    portsWait: () => false,
    onQuery: () => undefined,
    onGone: () => undefined,
    onUnanswerable: () => undefined,
    onUnknown: () => undefined,
    onAddressLost: () => undefined,
    mayEngineAsk: () => false,
    onLate: () => undefined,
    onUnseen: () => undefined,
    onChange: (_captured, problem) => told.push(problem),
    onProblem: () => undefined,
  });
  t.after(async () => {
    fails = false;
    await sandboxes.releaseAll();
    readiness.close();
  });
  const box = createNamespace("refused");
  box.run("ip", "link", "set", "lo", "up");
  sandboxes.captureNow();
  assert.match(told.at(-1) ?? "", /sandbox refused: no buffer space/);
  box.run("ip", "link", "add", "eth0", "type", "bridge");
  box.run("ip", "address", "add", "198.19.9.2/24", "dev", "eth0");
  box.run("ip", "link", "set", "eth0", "up");
  await until("it to be open", 5_000, () => (told.at(-1) === undefined ? true : undefined));
  run("ip", "netns", "delete", "refused");
});
