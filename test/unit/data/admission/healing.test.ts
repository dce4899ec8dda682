// Another program empties sets: what is put back, and that it is done once.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { setNames } from "../../../../src/core/firewall/names.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { anyService, type Service } from "../../../../src/core/model/service.ts";
import { type Admission, startAdmission } from "../../../../src/data/admission.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets, type FakeSets } from "../../../support/fake-sets.ts";
import { flushSet } from "../../../support/flush-set.ts";
import { policyOf } from "../../../support/policies.ts";
import { unlabelled } from "../../../support/topologies.ts";

const asker = "198.18.0.2" as IpAddress;
const https: Service = { protocol: "tcp", ports: { from: 443, to: 443 } };
const addressOf = (last: number): IpAddress => `203.0.113.${last}` as IpAddress;

let now = 0;
let sets: FakeSets;
let admission: Admission;

function admit(last: number, service: Service = https, from = asker): void {
  const grant = { asker: from, destination: addressOf(last), domain: "www.example.org", service };
  admission.admit([{ ...grant, leaseSeconds: 300 }], () => "n1", admission.holderOf(from));
}

/** A first packet to port 443, under this label. */
function pass(last: number, label: string): boolean {
  const membership = {
    networkId: "n",
    networkName: "n",
    labels: unlabelled,
    internal: false,
    gateways: [],
    addresses: [asker],
  };
  const packet = { source: asker, destination: addressOf(last), protocol: 6, port: 443, setPort: 443 };
  return admission.judge(packet, [{ ...membership, policy: policyOf("n", label) }]);
}

const open = (): readonly string[] =>
  sets.list(setNames.grant4).flatMap(({ key }) => (key.kind === "ip-port-ip" ? [key.first] : []));

beforeEach(() => {
  now = 0;
  sets = createFakeSets(() => now);
  createSets(sets);
  admission = startAdmission({ sets, graceSeconds: 300, nowMs: () => now });
});

describe("healing", () => {
  it("forgets the first packets that passed under an entry for their address: they are asked for again", () => {
    assert.ok(pass(1, "203.0.113.0/24"));
    admit(2);
    flushSet(sets, setNames.grant4);
    assert.equal(admission.heal(), 1);
    assert.deepEqual(open(), [addressOf(2)]);
    assert.equal(admission.heal(), 0);
    assert.ok(pass(1, "203.0.113.0/24"));
    assert.equal(admission.heal(), 0);
  });

  it("ends where there is nothing to put back", () => {
    assert.ok(pass(1, "203.0.113.0/24"));
    flushSet(sets, setNames.grant4);
    assert.equal(admission.heal(), 0);
    let asked = 0;
    const has = sets.has;
    sets.has = (name, key) => {
      asked++;
      return has(name, key);
    };
    assert.equal(admission.heal(), 0);
    assert.equal(asked, 0);
  });

  it("ends where the kernel asked for an address that nobody has a right to any more", () => {
    admission.own(asker, "sandbox-1");
    admit(1, anyService);
    admit(2, anyService, "198.18.0.3" as IpAddress);
    admission.disown(asker, "sandbox-1");
    flushSet(sets, setNames.ask4);
    assert.equal(admission.heal(), 1);
    assert.equal(admission.heal(), 0);
    assert.equal(sets.list(setNames.ask4).length, 1);
  });

  it("still knows what another program has left of a set", () => {
    admission.own(asker, "sandbox-1");
    assert.ok(pass(1, "203.0.113.0/24"));
    assert.ok(pass(2, "203.0.113.0/24"));
    const key = { kind: "ip-port-ip", first: addressOf(1), protocol: 6, port: 443, second: asker } as const;
    sets.del(setNames.grant4, [key]);
    admission.heal();
    admission.disown(asker, "sandbox-1");
    assert.deepEqual(open(), []);
  });

  it("tries again what the kernel refused", () => {
    admit(1);
    admit(2);
    flushSet(sets, setNames.grant4);
    sets.limit(setNames.grant4, 1);
    assert.throws(() => admission.heal(), /full/);
    sets.limit(setNames.grant4, Number.POSITIVE_INFINITY);
    assert.equal(admission.heal(), 2);
    assert.equal(admission.heal(), 0);
    assert.equal(open().length, 2);
  });
});

describe("entries that nobody was granted", () => {
  const keyOf = (last: number, from = asker) =>
    ({ kind: "ip-port-ip", first: addressOf(last), protocol: 6, port: 443, second: from }) as const;

  it("are taken out again, and who could use them is told", async () => {
    admit(1);
    assert.ok(pass(2, "203.0.113.0/24"));
    admit(3, anyService);
    const before = sets.dump();
    const other = "198.18.0.9" as IpAddress;
    sets.add(
      setNames.grant4,
      [4, 5, 6].map((last) => ({ key: keyOf(last), timeoutSeconds: 300, comment: "old.example.com" })),
    );
    sets.add(setNames.pair4, [{ key: { ...keyOf(7, other), protocol: 0, port: 0 }, timeoutSeconds: 0 }]);
    assert.deepEqual([...(await admission.takeUnknown())].sort(), [asker, other]);
    assert.deepEqual(sets.dump(), before);
    admit(4);
    assert.deepEqual([...(await admission.takeUnknown())], []);
    assert.ok(open().includes(addressOf(4)));
  });

  it("are adopted from an earlier run", async () => {
    admit(1);
    const before = sets.dump();
    admission = startAdmission({ sets, graceSeconds: 300, nowMs: () => now });
    assert.deepEqual([...(await admission.takeUnknown())], []);
    assert.deepEqual(sets.dump(), before);
  });

  it("are none that the kernel keeps a second longer than it told an adopting daemon", async () => {
    admit(1);
    now = 500;
    admission = startAdmission({ sets, graceSeconds: 300, nowMs: () => now });
    now = 299_700;
    admission.sweep();
    assert.deepEqual([...(await admission.takeUnknown())], []);
    assert.deepEqual(open(), [addressOf(1)]);
  });

  it("are those that were granted once, when they come back after their end", async () => {
    admit(1);
    now = 330_000;
    admission.sweep();
    sets.add(setNames.grant4, [{ key: keyOf(1), timeoutSeconds: 300 }]);
    assert.deepEqual([...(await admission.takeUnknown())], [asker]);
  });

  it("are none that are granted while the sets are read", async () => {
    admit(1);
    const taking = admission.takeUnknown();
    admit(2);
    assert.deepEqual([...(await taking)], []);
    assert.deepEqual(open(), [addressOf(1), addressOf(2)]);
  });

  it("are looked for by one reading at a time", async () => {
    const taking = admission.takeUnknown();
    sets.add(setNames.grant4, [{ key: keyOf(1), timeoutSeconds: 300 }]);
    assert.deepEqual([...(await admission.takeUnknown())], []);
    assert.equal(open().length, 1);
    await taking;
  });
});
