import assert from "node:assert/strict";
import { test } from "node:test";
import { type PortState, UnsettledPackets } from "../../../../src/core/askers/unsettled.ts";

const verdicts: readonly (readonly [state: PortState, afterMs: number, verdict: string])[] = [
  ["open", 0, "passes"],
  ["open", 20_000, "passes"],
  ["guarded", 0, "refused"],
  ["gone", 0, "refused"],
  ["unknown", 9_999, "waits"],
  ["unknown", 10_000, "refused late"],
];
for (const [state, afterMs, expected] of verdicts)
  test(`a packet of one that is ${state} after ${afterMs} ms ${expected}`, () => {
    const packets = new UnsettledPackets();
    packets.add(1, 7, 0);
    const [decision] = packets.decide(() => state, afterMs);
    assert.equal(
      decision === undefined ? "waits" : `${decision.verdict}${decision.isLate ? " late" : ""}`,
      expected,
    );
    assert.equal(packets.size, expected === "waits" ? 1 : 0);
  });

test("packets are decided on by their ports, in the order in which they came, each once", () => {
  const packets = new UnsettledPackets();
  const states = new Map<number, PortState>([
    [7, "unknown"],
    [8, "open"],
  ]);
  const stateOf = (port: number): PortState => states.get(port) ?? "guarded";
  for (const [id, port] of [
    [1, 7],
    [2, 8],
    [3, 7],
    [4, 9],
  ] as const)
    packets.add(id, port, 0);
  const told = (nowMs: number) => packets.decide(stateOf, nowMs).map(({ id, verdict }) => `${id} ${verdict}`);
  assert.deepEqual(told(1), ["2 passes", "4 refused"]);
  assert.deepEqual(told(2), []);
  states.set(7, "open");
  assert.deepEqual(told(3), ["1 passes", "3 passes"]);
  assert.deepEqual(told(4), []);
});

test("one port fills no more than its share, and has it again", () => {
  const packets = new UnsettledPackets();
  let id = 0;
  const fill = (port: number): number => {
    let count = 0;
    while (count < 1_000 && packets.add(++id, port, 0)) count += 1;
    return count;
  };
  assert.equal(fill(7), 256);
  assert.equal(fill(8), 256);
  packets.decide((port) => (port === 7 ? "open" : "unknown"), 1);
  assert.equal(fill(8), 0);
  assert.equal(fill(7), 256);
});
