// The table of settled ports in the kernel: whose it is, what it is put back with, and what it no longer has.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { openSettledPorts, probeSettledPorts } from "../../../src/edge/kernel/nftables/host/settled-ports.ts";
import { indexOf } from "../../support/frames.ts";
import { until } from "../../support/lab/command.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

// The kernel makes the peer first, and nft lists ports in the order of their indexes.
run("ip", "link", "add", "veth2", "type", "veth", "peer", "name", "veth1");
const one = { index: indexOf("veth1") };
const two = { index: indexOf("veth2") };
const awakeInKernel = (): string[] =>
  run("nft", "list", "set", "bridge", "dockerwall", "awake").match(/\bip6?\b(?= )/g) ?? [];
const tableHandle = (): string | undefined =>
  /table bridge dockerwall \{.*# handle (\d+)/.exec(
    run("nft", "-a", "list", "table", "bridge", "dockerwall"),
  )?.[1];

test("nobody else takes it away, and it goes with who made it", () => {
  const ports = openSettledPorts();
  ports.settle([one.index]);
  run("nft", "flush", "ruleset");
  assert.throws(() => run("nft", "delete", "table", "bridge", "dockerwall"), /not permitted/);
  assert.match(run("nft", "list", "set", "bridge", "dockerwall", "settled"), /"veth1"/);
  ports.close();
  assert.doesNotMatch(run("nft", "list", "tables"), /bridge/);
});

test("what a run that was killed has left on an old kernel is replaced", () => {
  run("nft", "add table bridge dockerwall; add chain bridge dockerwall other");
  const ports = openSettledPorts();
  assert.doesNotMatch(run("nft", "list", "table", "bridge", "dockerwall"), /other/);
  ports.close();
});

test("where the kernel keeps nothing, it is put back", () => {
  const ports = openSettledPorts("shared");
  ports.settle([one.index]);
  const listed = run("nft", "list", "set", "bridge", "dockerwall", "settled");
  assert.match(listed, /"veth1"/);
  run("nft", "delete", "table", "bridge", "dockerwall");
  ports.heal();
  assert.equal(run("nft", "list", "set", "bridge", "dockerwall", "settled"), listed);
  run("nft", "delete", "table", "bridge", "dockerwall");
  ports.settle([two.index]);
  assert.match(run("nft", "list", "set", "bridge", "dockerwall", "settled"), /"veth1", "veth2"/);
  ports.close();
});

test("it is put back with the time that is left to be awake", async () => {
  const ports = openSettledPorts("shared");
  const remove = (): string => run("nft", "delete", "table", "bridge", "dockerwall");
  remove();
  ports.stayAwake(60_000);
  assert.deepEqual(awakeInKernel(), ["ip", "ip6"]);
  for (const putBack of [() => ports.heal(), () => ports.settle([one.index])]) {
    remove();
    putBack();
    assert.deepEqual(awakeInKernel(), ["ip", "ip6"]);
    assert.match(run("nft", "list", "set", "bridge", "dockerwall", "awake"), /expires (1m|59s|5\ds)/);
  }
  ports.stayAwake(50);
  await until("its end", 2_000, () => (awakeInKernel().length === 0 ? true : undefined));
  remove();
  ports.heal();
  assert.deepEqual(awakeInKernel(), []);
  ports.close();
});

test("one that is not there counts as unsettled, and the table stays as it is", () => {
  const ports = openSettledPorts("shared");
  ports.settle([one.index, two.index]);
  ports.stayAwake(60_000);
  const handle = tableHandle();
  run("nft", "delete", "element", "bridge", "dockerwall", "settled", "{ veth1 }");
  ports.unsettle([one.index, two.index]);
  assert.doesNotMatch(run("nft", "list", "set", "bridge", "dockerwall", "settled"), /veth/);
  assert.deepEqual([ports.has(one.index), ports.has(two.index)], [false, false]);
  assert.deepEqual(awakeInKernel(), ["ip", "ip6"]);
  assert.equal(tableHandle(), handle);
  ports.close();
});

test("there may be thousands of them", () => {
  const ports = openSettledPorts("shared");
  const many = Array.from({ length: 9_000 }, (_, at) => 100_000 + at);
  const inKernel = (): number =>
    run("nft", "list set bridge dockerwall settled").match(/\b10\d{4}\b/g)?.length ?? 0;
  ports.settle(many);
  assert.equal(inKernel(), many.length);
  run("nft", "delete table bridge dockerwall");
  ports.heal();
  assert.equal(inKernel(), many.length);
  ports.unsettle(many);
  assert.equal(inKernel(), 0);
  ports.close();
});

test("what the kernel refuses to unsettle is settled still, and is tried again", async () => {
  const ports = openSettledPorts("shared");
  ports.settle([one.index]);
  run("nft", "delete table bridge dockerwall");
  // Another program's, as long as that runs.
  const other = spawn("nft", ["-i"], { stdio: ["pipe", "ignore", "inherit"] });
  other.stdin.write("add table bridge dockerwall { flags owner; }\n");
  await until("the table of another", 5_000, () =>
    /bridge/.test(run("nft", "list tables")) ? true : undefined,
  );
  assert.throws(() => ports.unsettle([one.index]), /not permitted|EPERM/);
  assert.ok(ports.has(one.index));
  other.stdin.end();
  await once(other, "exit");
  ports.unsettle([one.index]);
  assert.ok(!ports.has(one.index));
  assert.doesNotMatch(run("nft", "list set bridge dockerwall settled"), /veth1/);
  ports.close();
});

test("a probe leaves nothing behind", () => {
  assert.equal(probeSettledPorts(), undefined);
  assert.doesNotMatch(run("nft", "list", "tables"), /bridge/);
});
