// What an earlier run left in the kernel is as good as what this one has put there.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { setNames } from "../../../../src/core/firewall/names.ts";
import type { Grant } from "../../../../src/core/grants/grant.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { anyService, type Service } from "../../../../src/core/model/service.ts";
import { type Admission, startAdmission } from "../../../../src/data/admission.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets, type FakeSets } from "../../../support/fake-sets.ts";
import { flushSet } from "../../../support/flush-set.ts";
import { policyOf } from "../../../support/policies.ts";
import { unlabelled } from "../../../support/topologies.ts";

const asker = "198.18.0.2" as IpAddress;
const one = "203.0.113.1" as IpAddress;
const two = "203.0.113.2" as IpAddress;
const https: Service = { protocol: "tcp", ports: { from: 443, to: 443 } };
const packet = { source: asker, destination: one, protocol: 6, port: 443, setPort: 443 };

let now = 0;
let sets: FakeSets;
let admission: Admission;

function start(): void {
  admission = startAdmission({ sets, graceSeconds: 300, nowMs: () => now });
}

function admit(change: Partial<Grant> = {}): void {
  const grant = { asker, destination: one, domain: "www.example.org", service: https, leaseSeconds: 3_900 };
  admission.admit([{ ...grant, ...change }], () => "n1");
}

function timeoutOf(set: keyof typeof setNames, destination: IpAddress = one): number | undefined {
  const found = sets
    .list(setNames[set])
    .find(({ key }) => key.kind === "ip-port-ip" && key.first === destination);
  return found?.timeoutSeconds;
}

const under = (label: string) => [
  {
    networkId: "n",
    networkName: "n",
    policy: policyOf("n", label),
    labels: unlabelled,
    internal: false,
    gateways: [],
    addresses: [asker],
  },
];

beforeEach(() => {
  now = 0;
  sets = createFakeSets(() => now);
  createSets(sets);
  start();
});

describe("a daemon that is started again", () => {
  for (const [title, service] of [
    ["one port", https],
    ["one port of either protocol", { protocol: "any", ports: { from: 443, to: 443 } }],
    ["a short range", { protocol: "tcp", ports: { from: 440, to: 443 } }],
    ["every port", anyService],
  ] as const) {
    it(`does not shorten what is still in answers: ${title}`, () => {
      admit({ service });
      start();
      admit({ service, leaseSeconds: 360 });
      assert.equal(timeoutOf("grant4"), 3_900);
    });
  }

  it("knows what is open, for how long, and by which name", () => {
    admit();
    now = 100_000;
    start();
    assert.equal(admission.secondsLeft(packet), 3_800);
    assert.ok(admission.isOpen(asker, one));
    assert.deepEqual(admission.namesOf(asker, one), ["www.example.org"]);
    assert.equal(admission.secondsLeft({ ...packet, port: 444 }), undefined);
    assert.equal(admission.secondsLeft({ ...packet, protocol: 17 }), undefined);
  });

  it("tells the kernel nothing that it knows", () => {
    admit();
    start();
    const before = sets.dump();
    sets.addAll = () => assert.fail("told again");
    admit();
    assert.deepEqual(sets.dump(), before);
  });

  it("keeps the address that a rotating name led to before, beside the new one", () => {
    admit({ leaseSeconds: 360 });
    start();
    now = 100_000;
    admit({ destination: two, leaseSeconds: 360 });
    assert.equal(timeoutOf("grant4", one), 360);
  });

  it("puts back what another program empties", () => {
    admit();
    start();
    flushSet(sets, setNames.grant4);
    assert.equal(admission.heal(), 1);
    assert.equal(timeoutOf("grant4"), 3_900);
  });

  it("takes a packet under an entry for its address for no lookup", () => {
    assert.ok(admission.judge(packet, under("203.0.113.0/24")));
    start();
    assert.equal(admission.isOpen(asker, one), false);
    assert.equal(admission.secondsLeft(packet), undefined);
    assert.deepEqual(admission.namesOf(asker, one), []);
  });

  it("takes the ports that were asked for under one right for that right", () => {
    admit({ service: anyService });
    for (let port = 1_000; port < 1_010; port++)
      assert.ok(admission.judge({ ...packet, port, setPort: port }, under("www.example.org")));
    start();
    flushSet(sets, setNames.grant4);
    assert.equal(admission.heal(), 1);
  });
});
