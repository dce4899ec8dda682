// Numbers and ends of overrides, without a kernel that keeps them.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { OverrideBook } from "../../../../../src/core/policy/override/book.ts";
import type { Override, OverrideTarget } from "../../../../../src/core/policy/override.ts";

const app: OverrideTarget = { kind: "network", name: "app" };
const namesake: OverrideTarget = { kind: "container", name: "app" };
const of = (target: OverrideTarget, entry: string, endsAtMs?: number): Override => ({
  target,
  entry,
  endsAtMs,
});

let book: OverrideBook;

function put(override: Override): number {
  const number = book.numberFor(override);
  book.put(number, override);
  return number;
}

beforeEach(() => {
  book = new OverrideBook();
});

describe("the book of overrides", () => {
  it("gives a renewal the number that it has, and others the lowest that is free", () => {
    assert.deepEqual([put(of(app, "a.example.com")), put(of(app, "b.example.com"))], [1, 2]);
    assert.equal(put(of(app, "b.example.com", 5)), 2);
    assert.equal(put(of(namesake, "a.example.com")), 3);
    book.forget(1);
    assert.equal(put(of(app, "c.example.com")), 1);
    assert.equal(book.size, 3);
  });

  it("finds opposites of the same target, and whatever is about an entry", () => {
    put(of(app, "a.example.com"));
    put(of(app, "!a.example.com:443"));
    put(of(namesake, "a.example.com"));
    assert.deepEqual(book.opposites(of(app, "!a.example.com")), [1]);
    assert.deepEqual(book.opposites(of(app, "a.example.com:443")), [2]);
    assert.deepEqual(book.opposites(of(app, "not an entry")), []);
    assert.deepEqual(book.about(app, "a.example.com:443"), [2]);
    assert.deepEqual(book.about(namesake, "a.example.com"), [3]);
  });

  it("finds what is kept in a form that cannot be read", () => {
    put(of(app, "!db.example.com@10.0.0.0/8:5432"));
    assert.deepEqual(book.about(app, "db.example.com@10.0.0.0/8:5432"), [1]);
    assert.deepEqual(book.opposites(of(app, "db.example.com@10.0.0.0/8:5432")), [1]);
    assert.deepEqual(book.opposites(of(app, "!db.example.com@10.0.0.0/8:5432")), []);
  });

  it("knows which have ended, and when the next one does", () => {
    assert.equal(book.nextEndMs(), undefined);
    put(of(app, "a.example.com", 10));
    put(of(app, "b.example.com", 20));
    put(of(app, "c.example.com"));
    assert.equal(book.nextEndMs(), 10);
    assert.deepEqual(
      book.ended(10).map(({ number }) => number),
      [1],
    );
    assert.deepEqual(
      book.current(10).map(({ entry }) => entry),
      ["b.example.com", "c.example.com"],
    );
  });
});
