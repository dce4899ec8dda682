// What `replay`, `suggest` and `stats` say of a lookup and of a connection, beside what the data plane answers, opens and tells
// `explain`: for random lists the same.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { AskerIndex } from "../../../src/core/askers/index-of-askers.ts";
import { readAddressAnswer } from "../../../src/core/dns/probe.ts";
import { hostMembers } from "../../../src/core/firewall/entries/host.ts";
import { type IpAddress, parseAddress } from "../../../src/core/model/address.ts";
import { type Explained, explainPath } from "../../../src/core/path/explained.ts";
import type { Surroundings } from "../../../src/core/path/surroundings.ts";
import { answersBy, insideOf, labelView } from "../../../src/core/suggest/label-view.ts";
import { startAdmission } from "../../../src/data/admission.ts";
import { readPath } from "../../../src/data/rehearse.ts";
import { HostAddresses } from "../../../src/data/worker/host-addresses.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { createFakeSets } from "../../support/fake-sets.ts";
import { answerTo, type FakeUpstream, startFakeUpstream } from "../../support/fake-upstream.ts";
import { startOneNetwork } from "../../support/one-network.ts";
import { listOf } from "../../support/policies.ts";
import { bridgeNetwork, guardedNetwork, runningContainer } from "../../support/topologies.ts";

const home = bridgeNetwork("home", "198.18.0.0/24");
const internal = { ...bridgeNetwork("within", "198.18.3.0/24"), internal: true };
const asker = "198.18.0.2" as IpAddress;
const topology = {
  networks: [home, bridgeNetwork("far", "198.18.5.0/24"), internal],
  containers: [runningContainer("web", "home", asker), runningContainer("db", "home", "198.18.0.3")],
};
const hostAddresses = ["198.18.0.1", "192.0.2.9"] as IpAddress[];
const inside = insideOf({ topology, hostAddresses, bridgesFiltered: true });

const destinations = ["203.0.113.5", "203.0.113.6", "10.0.0.1", "192.0.2.9", "198.18.5.7", "198.18.0.1"];
const hosts = fc.constantFrom(
  ...["www.example.com", "*.example.com", "w*.example.com", "www.example.com@10.0.0.0/8", "*.example.org"],
  ...["203.0.113.5", "203.0.113.0/24", "10.0.0.1", "10.0.0.0/8", "192.0.2.9", "198.18.5.0/24"],
);
const suffixes = fc.constantFrom("", ":443", ":443/tcp", ":80", ":53", ":1-500/tcp", "/udp", "/tcp");
const entries = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(hosts, suffixes).map((parts) => parts.join("")) },
  fc.constantFrom("host:443", "host:80/tcp", "host:53", "host:400-450/udp"),
);
const written = fc.tuple(fc.boolean(), fc.boolean(), entries).map(([one, other, entry]) => {
  // A name that is bound to a range takes nothing away.
  return one && other && !entry.includes("@") ? `!${entry}` : entry;
});

let upstream: FakeUpstream;
let answered: readonly string[] = [];
before(async () => {
  upstream = await startFakeUpstream({ onUdp: ({ message, reply }) => reply(answerTo(message, answered)) });
});
after(() => upstream.close());

function plane(label: string) {
  const sets = createFakeSets(() => 0);
  createSets(sets);
  const isInside = (address: IpAddress): boolean => answerer.isInside(address);
  const admission = startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs, isInside });
  const guarded = [{ ...guardedNetwork(home), lists: [listOf(label)] }];
  const index = new AskerIndex({ topology, guarded, services: [], quarantined: [] });
  const { answerer, ask } = startOneNetwork({
    upstreams: [upstream],
    options: {
      admission,
      indexNow: () => index,
      ownAddresses: new HostAddresses(() => hostAddresses),
    },
  });
  answerer.useTopology(topology, guarded);
  const surroundings: Surroundings = {
    ...topology,
    guarded: new Map([["home", { audit: false, reject: false }]]),
    quarantine: new Set(),
    hostAddresses,
    hostEntries: hostMembers({ guarded, containers: { services: [], unguarded: [] } }),
    bridgesFiltered: true,
  };
  /** What `explain` says of an address, with what is open now. */
  const explained = async (destination: IpAddress, port: number, ipProtocol: number): Promise<Explained> => {
    const target = { name: undefined, address: destination, port, ipProtocol };
    const reading = await readPath({
      ...{ admission, answerer, index, topology, target, hosts: [] },
      standing: index.standingOfAddresses([asker]),
      addresses: [asker],
      wayTo: () => ({ kind: "bridge", source: asker, bridge: home.bridge ?? "" }),
      nowMs: monotonicMs(),
    });
    const question = { target, container: "web", quarantined: false, reading };
    return explainPath(surroundings, question);
  };
  return {
    answerer,
    ask,
    explained,
    view: labelView(guarded[0] ?? assert.fail(), [listOf(label)], inside, monotonicMs()),
  };
}

test("lookups and connections are judged as they are answered, opened and explained", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(written, { maxLength: 5 }),
      fc.uniqueArray(fc.constantFrom(...destinations), { minLength: 1, maxLength: 2 }),
      fc.constantFrom(443, 80, 53, 7),
      fc.constantFrom(6, 17),
      async (label, addresses, port, ipProtocol) => {
        const name = "www.example.com";
        answered = addresses;
        const { answerer, ask, explained, view } = plane(label.join(" "));
        try {
          const told = readAddressAnswer(await ask(name, asker));
          const seen = {
            domain: name,
            type: undefined,
            addresses: addresses.flatMap((text) => parseAddress(text) ?? []),
          };
          const outcome = answersBy([view], seen, inside, monotonicMs());
          assert.equal(
            outcome === "answered",
            told.addresses.length > 0,
            `${outcome}, ${JSON.stringify(told)}`,
          );
          for (const text of addresses) {
            const destination = parseAddress(text) ?? assert.fail(text);
            const connection = {
              ...{ asker, container: undefined, destination, ipProtocol, port, names: [name] },
              ...{ allowed: false, packets: 1 },
            };
            const { verdict, step } = await explained(destination, port, ipProtocol);
            assert.equal(view.allows(connection), verdict === "passes", text);
            const ends = view.meets(connection);
            assert.equal(ends.verdict, verdict, text);
            // By an address alone it is not told that its name is allowed for other ports, nor that it is denied.
            if (step !== "no-entry" && step !== "no-lookup") assert.equal(ends.step, step, text);
          }
        } finally {
          answerer.useUpstreams([]);
        }
      },
    ),
    {
      numRuns: 1000,
      examples: [
        [["www.example.com:53", "198.18.5.0/24/tcp"], ["198.18.5.7"], 53, 17],
        [["www.example.com", "198.18.5.0/24:53"], ["198.18.5.7"], 53, 6],
      ],
    },
  );
});
