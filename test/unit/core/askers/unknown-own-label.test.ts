// A container that may lose a name by its own label, which the engine has not told of yet: whatever keeps its lookups
// from waiting, nothing of it is answered or opened by the network's list alone.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AskerIndex } from "../../../../src/core/askers/index-of-askers.ts";
import type { Container } from "../../../../src/core/model/topology.ts";
import { decodeMessage } from "../../../support/dns-bytes.ts";
import { answerTo, startFakeUpstream } from "../../../support/fake-upstream.ts";
import { type OneNetwork, startOneNetwork } from "../../../support/one-network.ts";
import { listOf } from "../../../support/policies.ts";
import { newContainer, runningContainer } from "../../../support/topologies.ts";

interface Newcomer extends OneNetwork {
  readonly asks: () => number;
  /** The engine's picture has this container, and no other. */
  show(container: Container): void;
  close(): Promise<void>;
}

async function startNewcomer(own: string): Promise<Newcomer> {
  let asks = 0;
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      asks++;
      reply(answerTo(message, ["203.0.113.7"]));
    },
  });
  let index: AskerIndex | undefined;
  const started = startOneNetwork({
    allow: "www.example.com *.many.example.com",
    upstreams: [upstream],
    options: { indexNow: () => index ?? assert.fail() },
  });
  const { topology, guarded, answerer } = started;
  const show = (container: Container): void => {
    const services = [{ containerId: "strict", name: "strict", addresses: [], lists: [listOf(own)] }];
    const containers = [container];
    index = new AskerIndex({ topology: { ...topology, containers }, guarded, services, quarantined: [] });
    answerer.useTopology({ ...topology, containers }, guarded);
  };
  show(newContainer("strict", "n1"));
  const close = async (): Promise<void> => {
    answerer.useUpstreams([]);
    await upstream.close();
  };
  return { ...started, asks: () => asks, show, close };
}

const told = runningContainer("strict", "n1", "198.18.0.2");
const tally = (answers: readonly Uint8Array[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    const { rcode, opt } = decodeMessage(answer);
    const what = `${rcode} ${opt?.errorCode}`;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
};

describe("a container that may lose a name", () => {
  it("opens nothing by 1,500 lookups at once, more than can wait", async () => {
    const { ask, show, grants, asks, close } = await startNewcomer("!www.example.com !*.many.example.com");
    try {
      const names = Array.from({ length: 1_499 }, (_, i) => `n${i}.many.example.com`);
      const answers = Promise.all([...names, "www.example.com"].map((name) => ask(name)));
      show(told);
      const counts = tally(await answers);
      assert.deepEqual([grants.length, asks()], [0, 0]);
      assert.deepEqual(Object.keys(counts).toSorted(), ["NXDOMAIN 15", "SERVFAIL 14"]);
    } finally {
      await close();
    }
  });

  it("is answered SERVFAIL with the reason when the engine does not tell in time", async () => {
    const { ask, grants, asks, close } = await startNewcomer("!www.example.com");
    try {
      const startedAtMs = performance.now();
      const { rcode, opt } = decodeMessage(await ask("www.example.com"));
      assert.deepEqual([rcode, opt?.errorCode], ["SERVFAIL", 14]);
      assert.match(opt?.errorText ?? "", /the engine has not yet said/);
      assert.deepEqual([grants.length, asks()], [0, 0]);
      assert.ok(performance.now() - startedAtMs < 4_000);
    } finally {
      await close();
    }
  });

  it("leaves room for its neighbours' lookups to wait", async () => {
    const { ask, show, grants, close } = await startNewcomer("!www.example.com");
    try {
      const flood = Array.from({ length: 5_000 }, () => ask("www.example.com"));
      const neighbour = ask("www.example.com", "198.18.0.3");
      show(told);
      assert.equal(decodeMessage(await neighbour).rcode, "NOERROR");
      await Promise.all(flood);
      assert.deepEqual(new Set(grants.map(({ asker }) => asker)), new Set(["198.18.0.3"]));
    } finally {
      await close();
    }
  });
});

describe("a container that may be allowed more", () => {
  it("is not told no while the engine has not told", async () => {
    const { ask, close } = await startNewcomer("api.example.org");
    try {
      const { rcode, opt } = decodeMessage(await ask("api.example.org"));
      assert.deepEqual([rcode, opt?.errorCode], ["SERVFAIL", 14]);
      assert.equal(decodeMessage(await ask("www.example.com")).rcode, "NOERROR");
    } finally {
      await close();
    }
  });
});
