// Which bridges are let go, and when: by the engine's word, never by their names.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BridgeClaims } from "../../../../src/core/classify/bridge-claims.ts";

const docker = "br-0123456789ab";
const nobody: ReadonlySet<string> = new Set();
const isHosts = (): boolean => false;

function arrive(change: Partial<ConstructorParameters<typeof BridgeClaims>[0]> = {}): BridgeClaims {
  return new BridgeClaims({ bridges: [], open: nobody, held: false, nowMs: 0, ...change });
}

describe("a bridge that no network of the engine has", () => {
  const there: readonly [what: string, bridge: string, held: boolean, open: boolean, freeBy: number][] = [
    ["of another engine, at our first start", docker, false, false, 0],
    ["of the host's, at our first start", "br-lan", false, false, 0],
    ["of the host's, made while no daemon ran", "br-lan", true, false, 0],
    ["of another engine, made while no daemon ran", docker, true, false, 2_000],
    ["of another engine, let go before", docker, true, true, 0],
  ];
  for (const [what, bridge, held, open, freeBy] of there) {
    it(`${what}, is let go by a reading that begins after ${freeBy} ms`, () => {
      const claims = arrive({ bridges: [bridge], held, open: new Set(open ? [bridge] : []) });
      const freeAt = (begunAtMs: number | undefined): boolean =>
        claims.observe([bridge], { claimed: nobody, begunAtMs, isHosts }, 60_000).has(bridge);
      assert.equal(freeAt(undefined), false);
      assert.equal(freeAt(freeBy - 1), false);
      assert.deepEqual(claims.held(), [{ bridge, sinceMs: 0 }]);
      assert.equal(freeAt(freeBy), true);
      assert.deepEqual(claims.held(), []);
    });
  }

  for (const bridge of [docker, "br-lan", "docker0", "virbr0"]) {
    it(`${bridge}, which comes later, is let go by a reading that began 10 s after it was seen`, () => {
      const claims = arrive();
      const look = (begunAtMs: number, nowMs: number): boolean =>
        claims.observe([bridge], { claimed: nobody, begunAtMs, isHosts }, nowMs).has(bridge);
      assert.equal(look(500, 1_000), false);
      assert.equal(look(10_999, 60_000), false);
      assert.deepEqual(
        [10_999, 11_000].map((nowMs) => claims.awaitsReading(nowMs)),
        [false, true],
      );
      assert.equal(look(11_000, 60_000), true);
      assert.equal(claims.awaitsReading(60_000), false);
    });
  }

  it("is let go at once when it carries the host's own way, and stays so", () => {
    const claims = arrive();
    const look = (hosts: boolean, claimed: ReadonlySet<string> = nobody): boolean =>
      claims.observe([docker], { claimed, begunAtMs: undefined, isHosts: () => hosts }, 1_000).has(docker);
    assert.equal(look(false), false);
    assert.equal(look(true), true);
    assert.deepEqual(claims.held(), []);
    assert.equal(look(false), true);
    assert.equal(look(true, new Set([docker])), false);
  });

  it("is the engine's as soon as it says so, and a stranger anew when it has gone and come", () => {
    const claims = arrive({ bridges: [docker] });
    const look = (
      bridges: readonly string[],
      claimed: readonly string[],
      atMs: number,
    ): readonly string[] => [
      ...claims.observe(bridges, { claimed: new Set(claimed), begunAtMs: atMs, isHosts }, atMs),
    ];
    assert.deepEqual(look([docker], [], 0), [docker]);
    assert.deepEqual(look([docker], [docker], 1_000), []);
    assert.deepEqual(look([docker], [], 2_000), []);
    assert.deepEqual(look([], [], 60_000), []);
    assert.deepEqual(look([docker], [], 61_000), []);
    assert.deepEqual(look([docker], [], 71_000), [docker]);
  });
});
