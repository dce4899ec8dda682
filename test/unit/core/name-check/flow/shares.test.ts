// Who may have how many flows, and whose gives way.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type FlowStep, flowLimits } from "../../../../../src/core/name-check/flows.ts";
import { clientAddress } from "../../../../support/flow/packets.ts";
import { asking, Play, refusals } from "../../../../support/flow/play.ts";
import { type Random, seeded } from "../../../../support/seeded.ts";

test("an asker with too much held loses its own oldest flow", () => {
  const play = new Play();
  for (let port = 1; port <= 64; port++) {
    play.begin({ client: 2, port });
    assert.deepEqual(refusals(play.says({ client: 2, port }, 0, asking.subarray(0, 9))), []);
  }
  play.begin({ client: 2, port: 65 });
  assert.deepEqual(refusals(play.says({ client: 2, port: 65 }, 0, asking.subarray(0, 9))), ["1 crowded"]);
  assert.deepEqual(refusals(play.says({ client: 2, port: 2 }, 9, asking.subarray(9, 20))), ["2 crowded"]);
});

test("what is more than an asker may have of connections is forgotten from the oldest on", () => {
  const limits = { ...flowLimits, perAsker: { ...flowLimits.perAsker, flows: 3 } };
  const play = new Play(limits);
  for (let port = 1; port <= 4; port++)
    assert.deepEqual(
      play.begin({ client: 2, port }).map(({ kind }) => kind),
      ["release"],
    );
  assert.deepEqual(refusals(play.says({ client: 2, port: 1 }, 0, asking)), ["1 unknown"]);
  assert.deepEqual(refusals(play.says({ client: 2, port: 2 }, 0, asking)), []);
});

const few = { heldPackets: 10, heldBytes: 4000, reading: 8, flows: 40, keptBytes: 9000 };
const all = { heldPackets: 24, heldBytes: 9000, reading: 20, flows: 90, keptBytes: 20_000 };

/** Twenty connections of three askers, most of them half-open; all that was done for them. */
function flood(play: Play, random: Random, firstPort: number): readonly FlowStep[] {
  const steps: FlowStep[] = [];
  for (let port = firstPort; port < firstPort + 20; port++) {
    const ends = { client: 2 + random(3), port };
    steps.push(...play.begin(ends));
    if (random(4) > 0) steps.push(...play.says(ends, 0, asking.subarray(0, 1 + random(100))));
    if (random(4) === 0) steps.push(...play.says(ends, 0, asking));
  }
  return steps;
}

for (const [what, perAsker] of [
  ["with bounds of its own", few],
  ["within the bound of all", all],
] as const)
  test(`an asker with many half-open hellos costs no other a flow, ${what}`, () => {
    const random = seeded(3);
    const play = new Play({ perAsker, inAll: all });
    for (let round = 0; round < 400; round++) {
      play.nowMs += 5;
      const victim = { client: 100 + random(5), port: round + 1 };
      const isOfVictim = ({ key }: FlowStep): boolean => key.client === clientAddress(victim.client);
      flood(play, random, 1000 + round * 40);
      if (round % 7 === 0) play.table.expire(play.nowMs);
      play.begin(victim);
      const steps = play.says(victim, 0, asking.subarray(0, 30));
      assert.deepEqual(
        steps.filter(isOfVictim).map(({ kind }) => kind),
        ["hold"],
      );
      assert.ok(!flood(play, random, 1020 + round * 40).some(isOfVictim), `round ${round}`);
      play.says(victim, 30, asking.subarray(30));
      const answered = play.answers(victim, asking.length);
      assert.ok(
        answered.some((step) => step.kind === "mark" && step.mark === "admitted"),
        `round ${round}`,
      );
    }
  });

test("what is counted adds up: when all has ended nothing is left", () => {
  const random = seeded(4);
  const play = new Play({
    perAsker: { ...flowLimits.perAsker, flows: 20, reading: 5 },
    inAll: flowLimits.inAll,
  });
  const held = new Set<number>();
  const settle = (steps: readonly FlowStep[]): void => {
    for (const step of steps) {
      if (step.kind === "hold") held.add(step.id);
      if (step.kind === "drop" || step.kind === "release") for (const id of step.ids) held.delete(id);
    }
  };
  for (let round = 0; round < 5_000; round++) {
    const ends = { client: 2 + random(4), port: 1 + random(40) };
    play.nowMs += random(50);
    const from = random(asking.length);
    const acts = [
      () => play.begin(ends),
      () => play.says(ends, random(2) * from, asking.subarray(random(2) * from, from + random(60))),
      () => play.says(ends, 0, asking),
      () => play.answers(ends, asking.length),
      () => play.table.expire(play.nowMs),
      () => (random(40) === 0 ? play.table.forget(clientAddress(ends.client)) : []),
    ];
    settle((acts[random(acts.length)] ?? acts[0])?.() ?? []);
    assert.ok(held.size <= 4 * 64);
  }
  for (let next = play.table.nextExpiryMs(); next !== undefined; next = play.table.nextExpiryMs()) {
    settle(play.table.expire(next));
  }
  assert.equal(held.size, 0);
});
