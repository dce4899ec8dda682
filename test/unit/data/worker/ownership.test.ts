// An address is not open for its new holder before the flows of the former one are cleared, whatever fails or dies in
// between.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { setNames } from "../../../../src/core/firewall/names.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { PolicyView } from "../../../../src/data/admission/rejudging.ts";
import { type Admission, startAdmission } from "../../../../src/data/admission.ts";
import { FormerFlows } from "../../../../src/data/sandboxes/former-flows.ts";
import { createPresence } from "../../../../src/data/waiting/presence.ts";
import { createOwnership, type Ownership } from "../../../../src/data/worker/ownership.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets, type FakeSets } from "../../../support/fake-sets.ts";

const address = "198.18.0.2" as IpAddress;

let sets: FakeSets;
let admission: Admission;
let ownership: Ownership;
/** Addresses at which stamped flows began, in the kernel. */
let stamped: Set<IpAddress>;
let isBusy: boolean;
let isRefusing: boolean;
let retry: () => void;

/** Another daemon by the same kernel, as after the death of the last. */
function start(): void {
  admission = startAdmission({ sets, graceSeconds: 0, nowMs: () => 0 });
  const mayFail = (): void => {
    if (isBusy) throw new Error("the kernel is busy");
  };
  const formerFlows = new FormerFlows({
    uncleared: admission.uncleared,
    disown(addresses) {
      mayFail();
      for (const each of addresses) stamped.delete(each);
    },
    stampedSources() {
      mayFail();
      return new Set(stamped);
    },
    isHeld: (each) => admission.holderOf(each) !== undefined,
    onCleared: () => undefined,
    after(_ms, work) {
      retry = work;
    },
    onProblem: () => undefined,
  });
  const presence = createPresence(
    () => [],
    () => 0,
    () => undefined,
  );
  ownership = createOwnership(presence, admission, formerFlows, {
    freshAddress: () => undefined,
    problem: assert.fail,
  });
}

const own = (sandbox: string): boolean => ownership.own([address], sandbox).includes(address);

/** Whose flows are judged anew by a picture in which all have one policy. */
function rejudge(): readonly IpAddress[] {
  const view: PolicyView = { epoch: "1", keyOf: () => "all", membershipsOf: () => [] };
  let changed: readonly IpAddress[] = [];
  admission.rejudge(view, (askers) => {
    changed = [...askers];
  });
  return changed;
}

beforeEach(() => {
  sets = createFakeSets(() => 0);
  createSets(sets);
  const { del } = sets;
  sets.del = (name, keys) => {
    if (isRefusing) throw new Error("the kernel has no memory");
    del(name, keys);
  };
  stamped = new Set();
  isBusy = false;
  isRefusing = false;
  retry = assert.fail;
  start();
  assert.equal(own("former"), true);
  stamped.add(address);
});

describe("what a former holder has left is cleared", () => {
  for (const isJudged of [false, true])
    it(`by the next daemon where this one did not come to it${isJudged ? ", though the heir was judged" : ""}`, () => {
      isBusy = true;
      assert.equal(own("heir"), false);
      if (isJudged) rejudge();
      start();
      assert.equal(own("heir"), false);
      isBusy = false;
      start();
      assert.equal(own("heir"), true);
      assert.deepEqual([...stamped], []);
    });

  it("by the next daemon for a further heir, and for one that comes again", () => {
    for (const next of ["third", "heir"]) {
      stamped.add(address);
      isBusy = true;
      assert.equal(own("heir"), false);
      start();
      isBusy = false;
      ownership.lost(address, "heir");
      assert.equal(own(next), true);
      assert.deepEqual([...stamped], []);
      ownership.lost(address, next);
      own("former");
    }
  });

  it("by a retry, and then the next daemon leaves its heir alone", () => {
    isBusy = true;
    assert.equal(own("heir"), false);
    rejudge();
    isBusy = false;
    retry();
    assert.equal(own("heir"), true);
    stamped.add(address);
    start();
    assert.equal(own("heir"), true);
    assert.deepEqual([...stamped], [address], "its own flows go on");
    assert.deepEqual(rejudge(), [], "it was judged by this policy");
  });

  it("though the kernel did not let the heir be taken out when it left", () => {
    isBusy = true;
    assert.equal(own("heir"), false);
    isRefusing = true;
    assert.throws(() => ownership.lost(address, "heir"), /no memory/);
    assert.equal(own("heir"), false);
    isRefusing = false;
    isBusy = false;
    assert.equal(own("heir"), true);
    assert.deepEqual([...stamped], []);
  });
});

for (const [what, epoch, left] of [
  ["goes on with its open flows", "1", [address]],
  ["inherits none of its own open flows after a change of policy", "2", []],
] as const)
  it(`who takes its address off and puts it on again ${what}`, () => {
    ownership.useEpoch("1");
    ownership.lost(address, "former");
    ownership.useEpoch(epoch);
    assert.equal(own("former"), true);
    assert.deepEqual([...stamped], left);
  });

it("who keeps an address, as it could not pass on, keeps its flows", () => {
  const service = { protocol: "tcp", ports: { from: 443, to: 443 } } as const;
  const grant = {
    asker: address,
    destination: "203.0.113.1" as IpAddress,
    domain: "www.example.org",
    service,
  };
  admission.admit([{ ...grant, leaseSeconds: 300 }], () => "n1", "former");
  isRefusing = true;
  assert.throws(() => own("heir"), /no memory/);
  assert.equal(own("former"), true);
  assert.deepEqual([...stamped], [address]);
});

it("the kernel keeps of an owner whether it is cleared, and by which policy it was judged", () => {
  const notes = (): readonly string[] => sets.list(setNames.owner4).map(({ comment = "" }) => comment);
  isBusy = true;
  own("heir");
  rejudge();
  assert.deepEqual(notes(), ["heir uncleared"]);
  isBusy = false;
  own("heir");
  assert.match(notes().join(), /^heir [0-9a-f]+$/);
});
