// What the kernel did not let go is still known, and is taken by the next attempt: no heir gets it, and no policy that
// forbids it leaves it there.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { Membership } from "../../../../src/core/askers/standing.ts";
import { setNames } from "../../../../src/core/firewall/names.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { anyService } from "../../../../src/core/model/service.ts";
import type { PolicyView } from "../../../../src/data/admission/rejudging.ts";
import { type Admission, startAdmission } from "../../../../src/data/admission.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets, type FakeSets } from "../../../support/fake-sets.ts";
import { policyOf } from "../../../support/policies.ts";
import { unlabelled } from "../../../support/topologies.ts";

const asker = "198.18.0.2" as IpAddress;
const destinations = ["203.0.113.1", "2001:db8::1"] as [IpAddress, IpAddress];
const entrySets = ["grant4", "grant6", "pair4", "pair6"] as const;

let sets: FakeSets;
let admission: Admission;
/** The sets that refuse a delete; each counts what is left of its refusals. */
let refusals: Map<string, number>;

/** The entries of askers, by set. */
const held = (): readonly string[] =>
  entrySets.flatMap((set) => sets.list(setNames[set]).map(() => set as string));

beforeEach(() => {
  sets = createFakeSets(() => 0);
  createSets(sets);
  refusals = new Map();
  const { del } = sets;
  sets.del = (name, keys) => {
    const left = refusals.get(name) ?? 0;
    refusals.set(name, left - 1);
    if (left > 0) throw new Error(`${name}: no memory`);
    del(name, keys);
  };
  admission = startAdmission({ sets, graceSeconds: 0, nowMs: () => 0 });
  admission.own(asker, "former");
  const grants = destinations.map((destination) => {
    const domain = "www.example.org";
    return { asker, destination, domain, service: anyService, leaseSeconds: 300 };
  });
  admission.admit(grants, () => "n1", "former");
  assert.deepEqual([...new Set(held())], entrySets);
});

describe("what is granted at an address, where the kernel refuses to delete some of it,", () => {
  for (const set of entrySets) {
    it(`goes before the address passes on: ${set}`, () => {
      refusals.set(setNames[set], 2);
      for (let attempt = 0; attempt < 2; attempt++) {
        assert.throws(() => admission.own(asker, "heir"), /no memory/);
        assert.equal(admission.holderOf(asker), "former");
        assert.deepEqual([...new Set(held())], [set], "the other sets are done");
      }
      assert.equal(admission.own(asker, "heir"), true);
      assert.deepEqual([admission.holderOf(asker), held()], ["heir", []]);
    });

    it(`goes with the next attempt to take the address away: ${set}`, () => {
      refusals.set(setNames[set], 1);
      assert.throws(() => admission.disown(asker, "former"), /no memory/);
      admission.disown(asker, "former");
      assert.deepEqual([admission.holderOf(asker), held()], [undefined, []]);
    });

    it(`goes with the next picture where the policy forbids it: ${set}`, () => {
      const membership: Membership = {
        networkId: "n",
        networkName: "n",
        policy: policyOf("n", ""),
        labels: unlabelled,
        internal: false,
        gateways: [],
        addresses: [asker],
      };
      const view: PolicyView = { epoch: "1", keyOf: () => "nothing", membershipsOf: () => [membership] };
      const cut = (): void => undefined;
      refusals.set(setNames[set], 1);
      assert.throws(() => admission.rejudge(view, cut), /no memory/);
      assert.deepEqual([...new Set(held())], [set]);
      admission.rejudge(view, cut);
      assert.deepEqual(held(), []);
    });
  }
});
