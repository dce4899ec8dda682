import assert from "node:assert/strict";
import { test } from "node:test";
import { advance, before, distance } from "../../../../src/core/name-check/range.ts";

const last = 0xffff_ffff;

test("sequence numbers are compared across the end of their circle", () => {
  for (const [from, to, bytes] of [
    [0, 0, 0],
    [0, 1, 1],
    [1, 0, -1],
    [last, 0, 1],
    [0, last, -1],
    [last - 9, 10, 20],
    [10, last - 9, -20],
    [0, 0x7fff_ffff, 0x7fff_ffff],
    [0x7fff_ffff, 0, -0x7fff_ffff],
    [0x8000_0000, last, 0x7fff_ffff],
    [0xc000_0000, 0x4000_0001, -0x7fff_ffff],
  ] as const) {
    assert.equal(distance(from, to), bytes, `${from} to ${to}`);
    assert.equal(before(from, to), bytes > 0, `${from} before ${to}`);
    assert.equal(advance(from, bytes), to, `${from} and ${bytes}`);
  }
});

test("of two sequence numbers half the circle apart neither is before the other", () => {
  for (const [one, other] of [
    [0, 0x8000_0000],
    [0x7fff_ffff, last],
  ] as const) {
    assert.equal(before(one, other), false);
    assert.equal(before(other, one), false);
  }
});
