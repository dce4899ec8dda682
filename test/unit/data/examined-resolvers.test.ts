// `doctor` asks the resolvers that guarded networks ask: the daemon's own, and those of `dockerwall.upstream` labels.

import assert from "node:assert/strict";
import { test } from "node:test";
import { rcodes } from "../../../src/core/dns/wire/codes.ts";
import type { GuardedNetwork } from "../../../src/core/model/guarded-network.ts";
import type { Upstream } from "../../../src/core/model/upstream.ts";
import { answerTo, type FakeUpstream, startFakeUpstream } from "../../support/fake-upstream.ts";
import { startOneNetwork } from "../../support/one-network.ts";

/** One that answers every question, and one that refuses every question. */
const answers = (): Promise<FakeUpstream> =>
  startFakeUpstream({ onUdp: ({ message, reply }) => reply(answerTo(message, [])) });
const refuses = (): Promise<FakeUpstream> =>
  startFakeUpstream({
    onUdp: ({ message, reply }) => reply(answerTo(message, [], { flags: 0x8180 | rcodes.refused })),
  });

/** Which resolvers are reported, and of which there is a problem. @param labels the networks, and what they ask */
async function examined(
  own: Upstream,
  labels: Readonly<Record<string, readonly Upstream[] | undefined>>,
): Promise<readonly (readonly [networks: string, told: RegExp | undefined])[]> {
  const { answerer, guarded, topology } = startOneNetwork({ upstreams: [own] });
  const networks = Object.entries(labels).flatMap(([name, upstream]) =>
    guarded.map((network): GuardedNetwork => {
      return { ...network, id: name, name, labels: { ...network.labels, upstream } };
    }),
  );
  answerer.useTopology(topology, networks);
  try {
    return (await answerer.examineResolvers()).map(({ networks, problem }) => {
      if (problem !== undefined) assert.match(problem, /REFUSED/);
      return [networks?.join(" ") ?? "own", problem === undefined ? undefined : /REFUSED/] as const;
    });
  } finally {
    answerer.close();
  }
}

test("doctor asks the resolvers of labels, and the daemon's own only where a network asks them", async () => {
  const [well, ill] = await Promise.all([answers(), refuses()]);
  try {
    assert.deepEqual(await examined(well, {}), [["own", undefined]]);
    assert.deepEqual(await examined(ill, {}), [["own", /REFUSED/]]);
    assert.deepEqual(await examined(well, { app: undefined, back: [ill] }), [
      ["own", undefined],
      ["back", /REFUSED/],
    ]);
    // Nobody asks the daemon's own.
    assert.deepEqual(await examined(ill, { app: [well], back: [well] }), [["app back", undefined]]);
    // One of several is enough.
    assert.deepEqual(await examined(ill, { app: [ill, well] }), [["app", undefined]]);
    // A label that cannot be read names none, which status tells.
    assert.deepEqual(await examined(ill, { app: [] }), []);
  } finally {
    await Promise.all([well.close(), ill.close()]);
  }
});
