import assert from "node:assert/strict";
import { test } from "node:test";
import { createAnswerer } from "../../src/answerer.ts";
import { AskerIndex } from "../../src/dns/asker.ts";
import { type IpAddress, parsePrefix } from "../../src/model/address.ts";
import { decodeMessage, plainName, rawMessage, rawQuestion } from "../support/dns-bytes.ts";

test("an unknown single label waits for one reading of the engine only, however late that is", async () => {
  const subnets = [parsePrefix("198.18.0.0/24") ?? assert.fail()];
  const network = { id: "n1", name: "web", subnets, gateways: [] };
  const topology = {
    networks: [{ ...network, driver: "bridge", bridge: "br-n1", internal: false, labels: {} }],
    containers: [],
  };
  const guarded = [{ ...network, lists: [], audit: false, dns: { upstreams: undefined, types: [] } }];
  const index = new AskerIndex({ topology, guarded, services: [], quarantined: [] });
  let readings = 0;
  const answerer = createAnswerer({
    settings: {
      dnsPort: 5053,
      upstreams: [],
      leaseFloorSeconds: 60,
      leaseGraceSeconds: 300,
      sandboxFolder: undefined,
      queueNumber: 0,
    },
    admission: {
      admit: () => assert.fail("nothing may be opened"),
      judge: () => false,
      verdict: () => ({ allowed: false, by: undefined, name: undefined }),
      secondsLeft: () => undefined,
      namesOf: () => [],
      rejudge: () => [],
      isOpen: () => false,
      own: () => false,
      disown: () => undefined,
      sweep: () => undefined,
    },
    indexNow: () => index,
    ownAddresses: () => [],
    onLookup: () => undefined,
    onProblem: () => undefined,
    onUnknown: () => {
      readings++;
      // So busy that the next reading is due when this one is given up.
      const untilMs = performance.now() + 1_100;
      while (performance.now() < untilMs);
    },
  });
  answerer.useTopology(topology, guarded);
  const startedAtMs = performance.now();
  const answer = await new Promise<Uint8Array | undefined>((resolve) =>
    answerer.fromHost(
      rawMessage({ body: [rawQuestion(plainName("nobody"))] }),
      "udp",
      "198.18.0.2" as IpAddress,
      resolve,
    ),
  );
  assert.equal(decodeMessage(answer ?? new Uint8Array()).rcode, "NXDOMAIN");
  assert.equal(readings, 1);
  assert.ok(performance.now() - startedAtMs < 2_500);
});
