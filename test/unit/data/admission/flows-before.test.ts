// Whose open flows may be those of other policies than the present ones, though nothing is granted to it now: a container
// that the engine has not told of is granted what its network allows, and is judged only when it has been told of.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { PolicyView } from "../../../../src/data/admission/rejudging.ts";
import { type Admission, startAdmission } from "../../../../src/data/admission.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets, type FakeSets } from "../../../support/fake-sets.ts";

const address = "198.18.0.2" as IpAddress;

let sets: FakeSets;
let admission: Admission;

const start = (): void => {
  admission = startAdmission({ sets, graceSeconds: 0, nowMs: () => 0 });
};

const come = (): void => {
  admission.own(address, "web");
  admission.cleared(address);
};

const leave = (): void => admission.disown(address, "web");

const viewOf = (epoch: string, isTold: boolean): PolicyView => ({
  epoch,
  keyOf: () => (isTold ? "policy" : undefined),
  membershipsOf: () => [],
});

/** Before the engine has told of it. */
const useUntold = (epoch: string): void => admission.rejudge(viewOf(epoch, false), () => assert.fail("cut"));

/** @returns whether its open flows were judged */
function isJudged(epoch: string): boolean {
  let cut: ReadonlySet<IpAddress> = new Set();
  admission.rejudge(viewOf(epoch, true), (askers) => {
    cut = askers;
  });
  return cut.has(address);
}

beforeEach(() => {
  sets = createFakeSets(() => 0);
  createSets(sets);
  start();
});

describe("the open flows of a container are judged", () => {
  it("that came before the first picture, and was told of under another", () => {
    come();
    useUntold("first");
    assert.equal(isJudged("second"), true);
  });

  it("that was not told of under others, though these are over by now", () => {
    useUntold("first");
    come();
    useUntold("second");
    assert.equal(isJudged("first"), true);
  });

  it("that has taken its address off and put it on again since", () => {
    useUntold("first");
    come();
    useUntold("second");
    leave();
    come();
    assert.equal(isJudged("second"), true);
  });

  it("that did so after a restart, before the first picture", () => {
    come();
    start();
    leave();
    come();
    assert.equal(isJudged("first"), true);
  });

  it("that came before the first picture, by which it could not be judged", () => {
    come();
    admission.own("198.18.0.3" as IpAddress, "other");
    const grant = { asker: "198.18.0.3" as IpAddress, destination: "203.0.113.1" as IpAddress };
    const service = { protocol: "tcp", ports: { from: 443, to: 443 } } as const;
    const granted = { ...grant, domain: "www.example.org", service, leaseSeconds: 300 };
    admission.admit([granted], () => "n1", "other");
    const fails = (): never => {
      throw new Error("conntrack is busy");
    };
    assert.throws(() => admission.rejudge(viewOf("first", true), fails), /conntrack is busy/);
    assert.equal(isJudged("second"), true);
  });
});

describe("the open flows of a container go on", () => {
  it("that came before the first picture, and was told of under that", () => {
    come();
    useUntold("first");
    assert.equal(isJudged("first"), false);
  });

  it("that came under the present policies, and has taken its address off and put it on again", () => {
    useUntold("first");
    come();
    leave();
    come();
    assert.equal(isJudged("first"), false);
  });
});
