// What `explain` says of a name: the answer that the container would get, and nothing opened.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AskerIndex } from "../../../src/core/askers/index-of-askers.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import type { Explanation } from "../../../src/core/model/explanation.ts";
import { explain } from "../../../src/data/rehearse.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { answerTo, startFakeUpstream } from "../../support/fake-upstream.ts";
import { startOneNetwork } from "../../support/one-network.ts";

async function explained(
  name: string,
  upstream: (message: Uint8Array) => Uint8Array | undefined,
): Promise<{ readonly explanation: Explanation; readonly opened: number }> {
  const server = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      const answer = upstream(message);
      if (answer !== undefined) reply(answer);
    },
  });
  const { answerer, admission, topology, guarded, grants } = startOneNetwork({
    allow: "www.example.org",
    upstreams: [server],
  });
  const index = new AskerIndex({ topology, guarded, services: [], quarantined: [] });
  try {
    const explanation = await explain({
      admission,
      answerer,
      standing: index.standingOfSource("198.18.0.2" as IpAddress),
      target: { name, address: undefined, port: 443, ipProtocol: 6 },
      nowMs: monotonicMs(),
    });
    return { explanation, opened: grants.length };
  } finally {
    answerer.useUpstreams([]);
    await server.close();
  }
}

test("an allowed name: its addresses, for how long, and nothing is opened", async () => {
  const { explanation, opened } = await explained("www.example.org", (message) =>
    answerTo(message, ["203.0.113.5", "203.0.113.6"]),
  );
  assert.equal(explanation.reason, "entry");
  const [answer] = explanation.answers;
  assert.deepEqual(
    [answer?.type, answer?.rcode, answer?.addresses.toSorted()],
    ["A", "NOERROR", ["203.0.113.5", "203.0.113.6"]],
  );
  assert.ok((answer?.ttlSeconds ?? 0) > 0);
  assert.equal(opened, 0);
});

test("a name that nothing allows: the denial, and how long the container keeps it", async () => {
  const { explanation } = await explained("other.example.org", () => assert.fail("it is asked of nobody"));
  assert.equal(explanation.reason, "no-entry");
  assert.deepEqual(explanation.answers, [{ type: "A", rcode: "NXDOMAIN", addresses: [], ttlSeconds: 5 }]);
});

test("an allowed name whose upstream says nothing that can be believed: a failure", async () => {
  const { explanation } = await explained("www.example.org", (message) => message.subarray(0, 12));
  assert.equal(explanation.reason, "no-address");
  assert.deepEqual(explanation.answers, [
    { type: "A", rcode: "SERVFAIL", addresses: [], ttlSeconds: undefined },
  ]);
});
