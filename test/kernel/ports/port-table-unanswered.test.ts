// A request that the kernel does not answer may have been carried out all the same: what is written next is in force
// alone, and what is taken away is gone.

import assert from "node:assert/strict";
import { after, afterEach, beforeEach, it, mock } from "node:test";
import type { PortGuard } from "../../../src/core/firewall/port-guard.ts";
import { type IpAddress, parsePrefix } from "../../../src/core/model/address.ts";
import { openPortTable, type PortTable } from "../../../src/edge/kernel/nftables/host/port-table.ts";
import { indexOf } from "../../support/frames.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { answerAll, loseAnswers, unanswered } from "../../support/unanswered.ts";

enterNamespaces(import.meta.url);

const names = ["p-one", "p-two", "p-three"];
for (const name of names) run("ip", "link", "add", name, "type", "bridge");
after(() => mock.restoreAll());

const ports = names.map((name) => ({ index: indexOf(name), name }));
const [port = assert.fail()] = ports;
const letting = (...senders: readonly string[]): PortGuard => ({
  senders: senders as IpAddress[],
  neighbourhood: [parsePrefix("198.19.1.0/24") ?? assert.fail()],
  neighbourhoods: [],
  bridgeMac: undefined,
  linkLocal: [],
  linkLocalMay: "judged",
});
const before = letting("198.19.1.2");
const later = letting("198.19.1.3");

let table: PortTable;
const listed = (): string => run("nft", "list", "table", "netdev", "dockerwall");

loseAnswers();

/** The table as it is where everything is answered. */
function expected(work: (fresh: PortTable) => void): string {
  table.remove();
  table.close();
  table = openPortTable();
  work(table);
  return listed();
}

beforeEach(() => {
  answerAll();
  table = openPortTable();
});
afterEach(() => {
  answerAll();
  table.remove();
  table.close();
});

it("is looked for, and written once more", () => {
  unanswered.changes = 1;
  table.guard(port, before);
  const found = listed();
  assert.equal(
    found,
    expected((fresh) => fresh.guard(port, before)),
  );
});

for (const [what, readings] of [
  ["", 0],
  [" and cannot be looked for", 2],
] as const) {
  it(`is not in force beside what comes later, where it was a new chain${what}`, () => {
    Object.assign(unanswered, { changes: 2, readings });
    assert.throws(() => table.guard(port, before), /did not answer/);
    answerAll();
    table.guard(port, later);
    const found = listed();
    assert.equal(
      found,
      expected((fresh) => fresh.guard(port, later)),
    );
  });

  it(`gives way to what was there before${what}`, () => {
    table.guard(port, before);
    Object.assign(unanswered, { changes: 2, readings });
    assert.throws(() => table.guard(port, later), /did not answer/);
    answerAll();
    table.guard(port, before);
    const found = listed();
    assert.equal(
      found,
      expected((fresh) => fresh.guard(port, before)),
    );
  });

  it(`is taken away with its port's guard${what}`, () => {
    Object.assign(unanswered, { changes: 2, readings });
    assert.throws(() => table.guard(port, before), /did not answer/);
    answerAll();
    table.open(port.index);
    assert.doesNotMatch(listed(), /chain/);
  });

  it(`does not keep a port from being cut again, where its cut was lifted${what}`, () => {
    table.cut(port, true);
    Object.assign(unanswered, { changes: 2, readings });
    try {
      table.cut(port, false);
    } catch (error) {
      assert.match(String(error), /did not answer/);
    }
    answerAll();
    table.cut(port, true);
    assert.equal(table.cutOf(port.index), "whole");
  });
}

it("is not doubled, where it was of many ports", () => {
  const demands = ports.map((each) => ({ port: each, guard: before }));
  unanswered.changes = 1;
  assert.deepEqual([...table.guardAll(demands)], []);
  const found = listed();
  assert.equal(
    found.match(/198\.19\.1\.2/g)?.length,
    expected((fresh) => fresh.guardAll(demands)).match(/198\.19\.1\.2/g)?.length,
  );
});
