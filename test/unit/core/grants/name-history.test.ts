import assert from "node:assert/strict";
import { test } from "node:test";
import { NameHistory } from "../../../../src/core/grants/name-history.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";

const asker = "198.19.1.2" as IpAddress;
const destination = (n: number): IpAddress => `203.0.${113 + (n >> 8)}.${n & 255}` as IpAddress;

/** Sixteen names of its own for each of so many addresses, one asker after the other. */
function lookUpMany(history: NameHistory, by: IpAddress, addresses: number): void {
  for (let n = 0; n < addresses; n++)
    for (let index = 0; index < 16; index++)
      history.note(by, destination(n), `n${n}-${index}.example.org`, n);
}

const remembered = (history: NameHistory, of: IpAddress, addresses: number): number =>
  Array.from({ length: addresses }, (_, n) => [...history.namesOf(of, destination(n))].length).reduce(
    (sum, count) => sum + count,
    0,
  );

test("what one asker has remembered is bounded, the latest stay, and others lose nothing", () => {
  const history = new NameHistory();
  const neighbour = "198.19.1.3" as IpAddress;
  history.note(neighbour, destination(0), "www.example.org", 0);
  lookUpMany(history, asker, 4096);
  const many = remembered(history, asker, 4096);
  assert.ok(many <= 16_384 && many >= (16_384 * 15) / 16, `${many} names`);
  assert.equal([...history.namesOf(asker, destination(4095))].length, 16);
  assert.deepEqual([...history.namesOf(asker, destination(0))], []);
  assert.deepEqual([...history.namesOf(neighbour, destination(0))], ["www.example.org"]);
});

test("names that have their week behind them make room", () => {
  const history = new NameHistory();
  lookUpMany(history, asker, 1024);
  history.sweep(8 * 86_400_000);
  assert.equal(remembered(history, asker, 1024), 0);
  lookUpMany(history, asker, 1024);
  assert.equal(remembered(history, asker, 1024), 16_384);
});

test("of the names that led to one address the sixteen latest are known", () => {
  const history = new NameHistory();
  const names = Array.from({ length: 20 }, (_, index) => `n${index}.example.org`);
  for (const name of [...names, "n10.example.org"]) history.note(asker, destination(1), name, 0);
  const latest = [...names.slice(4).filter((name) => name !== "n10.example.org"), "n10.example.org"];
  assert.deepEqual([...history.namesOf(asker, destination(1))], latest);
});
