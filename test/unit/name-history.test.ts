import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NameHistory } from "../../src/core/grants/name-history.ts";
import { addressFromBytes, type IpAddress } from "../../src/core/model/address.ts";

const asker = "198.19.1.2" as IpAddress;
const neighbour = "198.19.1.3" as IpAddress;
const destination = "203.0.113.10" as IpAddress;
const day = 86_400_000;
const numbered = (index: number): IpAddress =>
  addressFromBytes(Uint8Array.of(203, index >> 16, (index >> 8) & 255, index & 255));

function namesOf(history: NameHistory, who = asker, where = destination): string {
  return [...history.namesOf(who, where)].join(" ");
}

describe("NameHistory", () => {
  it("knows the names that led an asker to an address, the last one last", () => {
    const history = new NameHistory();
    history.note(asker, destination, "a.example.com", 0);
    history.note(asker, destination, "b.example.com", 1);
    history.note(asker, destination, "a.example.com", 2);
    assert.equal(namesOf(history), "b.example.com a.example.com");
  });
  it("keeps askers and addresses apart", () => {
    const history = new NameHistory();
    history.note(asker, destination, "a.example.com", 0);
    assert.equal(namesOf(history, neighbour), "");
    assert.equal(namesOf(history, asker, numbered(1)), "");
    history.forget(neighbour);
    assert.equal(namesOf(history), "a.example.com");
    history.forget(asker);
    assert.equal(namesOf(history), "");
  });
  it("keeps the 16 names that were looked up last", () => {
    const history = new NameHistory();
    for (let index = 0; index < 20; index++) history.note(asker, destination, `n${index}`, index);
    history.note(asker, destination, "n4", 20);
    assert.equal(
      namesOf(history),
      [...Array.from({ length: 15 }, (_, index) => `n${index + 5}`), "n4"].join(" "),
    );
  });
  it("keeps the 8192 addresses that were looked up last", () => {
    const history = new NameHistory();
    for (let index = 0; index < 8192; index++) history.note(asker, numbered(index), "x", index);
    history.note(asker, numbered(0), "y", 9000);
    history.note(asker, numbered(9000), "x", 9001);
    assert.equal(namesOf(history, asker, numbered(0)), "x y");
    assert.equal(namesOf(history, asker, numbered(1)), "");
    assert.equal(namesOf(history, asker, numbered(2)), "x");
    assert.equal(namesOf(history, asker, numbered(9000)), "x");
  });
  it("forgets after seven days what was not looked up again", () => {
    const history = new NameHistory();
    history.note(asker, destination, "a.example.com", 0);
    history.note(asker, numbered(1), "b.example.com", day);
    history.note(neighbour, destination, "c.example.com", 2 * day);
    history.sweep(7 * day);
    assert.equal(namesOf(history), "a.example.com");
    history.sweep(7 * day + 1);
    assert.equal(namesOf(history), "");
    assert.equal(namesOf(history, asker, numbered(1)), "b.example.com");
    history.note(asker, numbered(1), "b.example.com", 8 * day);
    history.sweep(14 * day);
    assert.equal(namesOf(history, asker, numbered(1)), "b.example.com");
    assert.equal(namesOf(history, neighbour), "");
  });
});
