import assert from "node:assert/strict";
import { test } from "node:test";
import { setNames } from "../../../src/core/firewall/names.ts";
import type { Grant } from "../../../src/core/grants/grant.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { anyService, type Service } from "../../../src/core/model/service.ts";
import { taken } from "../../../src/core/taker.ts";
import { type Admission, startAdmission } from "../../../src/data/admission.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets, type FakeSets } from "../../support/fake-sets.ts";
import { flushSet } from "../../support/flush-set.ts";

const asker = "198.18.0.2" as IpAddress;
const onePort: Service = { protocol: "tcp", ports: { from: 443, to: 443 } };
/** 16 ports of two protocols: 32 entries for one address. */
const wide: Service = { protocol: "any", ports: { from: 8000, to: 8015 } };

function grant(last: number, service: Service = onePort, change: Partial<Grant> = {}): Grant {
  const destination = `203.${last >> 16}.${(last >> 8) & 255}.${last & 255}` as IpAddress;
  return { asker, destination, domain: "www.example.org", service, leaseSeconds: 300, ...change };
}

function freshSets(nowMs: () => number = () => 0): FakeSets {
  const sets = createFakeSets(nowMs);
  createSets(sets);
  return sets;
}

function start() {
  const sets = freshSets();
  return { sets, admission: startAdmission({ sets, graceSeconds: 0, nowMs: () => 0 }) };
}

const onNetwork = (): string => "n1";

test("a grant that does not fit leaves nothing of itself, and everything that was there before", () => {
  const { sets, admission } = start();
  admission.admit([grant(1), grant(2, anyService)], onNetwork);
  const before = sets.dump();
  for (const [set, service] of [
    ["grant4", wide],
    ["grant4", anyService],
    ["ask4", anyService],
    ["pair4", anyService],
  ] as const) {
    sets.limit(setNames[set], sets.list(setNames[set]).length + 1);
    assert.throws(
      () =>
        admission.admit([grant(1), grant(2, anyService), grant(3, service), grant(4, service)], onNetwork),
      /full/,
    );
    assert.deepEqual(sets.dump(), before);
    assert.equal(admission.isOpen(asker, grant(3).destination), false);
    sets.limit(setNames[set], Number.POSITIVE_INFINITY);
  }
});

test("an address that another asker's rights are asked for stays asked for", () => {
  const { sets, admission } = start();
  const neighbour = "198.18.0.3" as IpAddress;
  admission.admit([grant(1, anyService, { asker: neighbour })], onNetwork);
  const before = sets.dump();
  sets.limit(setNames.grant4, 3);
  assert.throws(() => admission.admit([grant(1, anyService)], onNetwork), /full/);
  assert.deepEqual(sets.dump(), before);
});

test("what a failed grant prolonged is taken away with its asker", () => {
  let nowMs = 0;
  const sets = freshSets(() => nowMs);
  const admission = startAdmission({ sets, graceSeconds: 0, nowMs: () => nowMs });
  admission.own(asker, "sandbox-1");
  admission.admit([grant(1, onePort, { leaseSeconds: 60 })], onNetwork, "sandbox-1");
  sets.limit(setNames.grant4, 1);
  const prolonged = [grant(1, onePort, { leaseSeconds: 600 }), grant(2)];
  assert.throws(() => admission.admit(prolonged, onNetwork, "sandbox-1"), /full/);
  nowMs = 100_000;
  admission.sweep();
  admission.own(asker, "sandbox-2");
  assert.deepEqual(sets.list(setNames.grant4), []);
});

test("at an address whose owner finds no place nothing is granted, until it has one or is left", () => {
  const { sets, admission } = start();
  const neighbour = "198.18.0.3" as IpAddress;
  admission.own(neighbour, "sandbox-1");
  sets.limit(setNames.owner4, 1);
  const before = sets.dump();
  assert.equal(admission.own(asker, "sandbox-2"), false);
  assert.deepEqual([admission.holderOf(asker), admission.unplacedAt(asker)], [undefined, "sandbox-2"]);
  assert.throws(() => admission.admit([grant(1)], onNetwork, "sandbox-2"), /set of owners is full/);
  assert.deepEqual(sets.dump(), before);
  // Who takes a place over needs no further one.
  assert.equal(admission.own(neighbour, "sandbox-3"), true);
  admission.disown(asker, "sandbox-3");
  assert.equal(admission.unplacedAt(asker), "sandbox-2");
  admission.disown(asker, "sandbox-2");
  assert.equal(admission.unplacedAt(asker), undefined);
  admission.own(asker, "sandbox-2");
  admission.disown(neighbour, "sandbox-3");
  assert.equal(admission.own(asker, "sandbox-2"), true);
  admission.admit([grant(1)], onNetwork, "sandbox-2");
  assert.equal(admission.isOpen(asker, grant(1).destination), true);
});

const admitInTurn = (admission: Admission, grants: readonly Grant[], holder?: string): Promise<number> =>
  taken((taker) => admission.admitInTurn({ grants, networkOf: onNetwork, holder }, taker));

test("an answer opens nothing for who has its asker's address by now", async () => {
  const { sets, admission } = start();
  admission.own(asker, "sandbox-1");
  admission.own(asker, "sandbox-2");
  const before = sets.dump();
  for (const holder of ["sandbox-1", undefined]) {
    assert.throws(() => admission.admit([grant(1)], onNetwork, holder), /another sandbox's/);
    await assert.rejects(admitInTurn(admission, [grant(1)], holder), /another sandbox's/);
  }
  // It changes hands within the turn that admits it.
  const admitted = admitInTurn(admission, [grant(1)], "sandbox-2");
  admission.own(asker, "sandbox-3");
  await assert.rejects(async () => admitted, /another sandbox's/);
  assert.deepEqual(
    sets.list(setNames.grant4).concat(sets.list(setNames.pair4), sets.list(setNames.ask4)),
    [],
  );
  assert.equal(before.length, sets.dump().length);
  admission.admit([grant(1)], onNetwork, "sandbox-3");
  assert.equal(sets.list(setNames.grant4).length, 1);
});

test("one asker has so many entries and no more, however wide its services are", () => {
  const { sets, admission } = start();
  const admitted = Array.from({ length: 1_100 }, (_, i) => {
    try {
      admission.admit([grant(i, wide)], onNetwork);
      return true;
    } catch (error) {
      assert.match(String(error), /198\.18\.0\.2 may have at most 32768 entries in the kernel/);
      return false;
    }
  });
  assert.equal(admitted.filter(Boolean).length, 1_024);
  assert.equal(sets.list(setNames.grant4).length, 32_768);
  admission.admit([grant(1, wide)], onNetwork);
});

test("the askers of one network share a part of the kernel's set, and another network's have theirs", () => {
  const { sets, admission } = start();
  const networkOf = (address: IpAddress): string => (address.startsWith("198.18.") ? "n1" : "n2");
  const fill = (from: IpAddress): number => {
    let count = 0;
    for (let i = 0; i < 1_024; i += 64) {
      const grants = Array.from({ length: 64 }, (_, j) => grant(i + j, wide, { asker: from }));
      try {
        admission.admit(grants, networkOf);
        count += 64;
      } catch (error) {
        assert.match(String(error), /the network of 198\.18\.0\.\d+ may have at most 262144 entries/);
      }
    }
    return count;
  };
  const counts = Array.from({ length: 10 }, (_, i) => fill(`198.18.0.${i + 2}` as IpAddress));
  assert.deepEqual(counts, [...Array(8).fill(1_024), 0, 0]);
  assert.equal(fill("198.19.0.2" as IpAddress), 1_024);
  assert.equal(sets.list(setNames.grant4).length, 262_144 + 32_768);
});

test("a right goes to the kernel again only when that gains half of the grace", () => {
  let nowMs = 0;
  let writes = 0;
  const sets = createFakeSets(() => nowMs, { onWrite: () => writes++ });
  createSets(sets);
  const admission = startAdmission({ sets, graceSeconds: 300, nowMs: () => nowMs });
  const secondsLeft = (): number | undefined => sets.list(setNames.grant4)[0]?.timeoutSeconds;
  const admitAt = (seconds: number): number => {
    nowMs = seconds * 1000;
    const before = writes;
    assert.equal(
      admission.admit([grant(1, onePort, { leaseSeconds: 360 })], onNetwork),
      nowMs + secondsLeftMs(),
    );
    return writes - before;
  };
  const secondsLeftMs = (): number => (secondsLeft() ?? 0) * 1000;
  assert.deepEqual([0, 0, 149, 150, 151, 200].map(admitAt), [1, 0, 0, 0, 1, 0]);
  assert.equal(secondsLeft(), 360 - 49);
  // A longer one is one that gains.
  admission.admit([grant(1, onePort, { leaseSeconds: 3_600 })], onNetwork);
  assert.equal(secondsLeft(), 3_600);
});

test("no entry of the kernel's is shortened by another right to it", () => {
  const services: readonly [longer: Service, shorter: Service, set: "grant4" | "pair4"][] = [
    [anyService, onePort, "grant4"],
    [{ ...onePort, protocol: "any" }, onePort, "grant4"],
    // The kernel asks for both by their first port.
    [
      { protocol: "tcp", ports: { from: 8000, to: 9000 } },
      { protocol: "tcp", ports: { from: 8000, to: 9500 } },
      "pair4",
    ],
  ];
  for (const [longer, shorter, set] of services) {
    const { sets, admission } = start();
    admission.admit([grant(1, longer, { leaseSeconds: 3_900, domain: "a.example.org" })], onNetwork);
    const before = sets.list(setNames[set]).map(({ timeoutSeconds }) => timeoutSeconds);
    admission.admit([grant(1, shorter, { leaseSeconds: 360 })], onNetwork);
    assert.deepEqual(
      sets.list(setNames[set]).map(({ timeoutSeconds }) => timeoutSeconds),
      before,
    );
  }
});

test("what keeps an entry of the kernel's longer does not make it longer", () => {
  let nowMs = 0;
  const sets = freshSets(() => nowMs);
  const admission = startAdmission({ sets, graceSeconds: 1, nowMs: () => nowMs });
  admission.admit([grant(1, onePort, { leaseSeconds: 600 })], onNetwork);
  for (let second = 0; second < 500; second++) {
    nowMs = second * 1000 + 500;
    const shorter = { leaseSeconds: 60, domain: `n${second}.example.org` };
    admission.admit([grant(1, { ...onePort, protocol: "any" }, shorter)], onNetwork);
  }
  nowMs = 599_000;
  assert.equal(sets.list(setNames.grant4).length, 1);
  nowMs = 601_000;
  assert.deepEqual(sets.list(setNames.grant4), []);
});

test("rights that another program took out of the kernel come back, with what is left of them", () => {
  for (const set of ["grant4", "pair4", "ask4"] as const) {
    let nowMs = 0;
    const sets = freshSets(() => nowMs);
    const admission = startAdmission({ sets, graceSeconds: 300, nowMs: () => nowMs });
    admission.admit([grant(1), grant(2, anyService), grant(3, onePort, { leaseSeconds: 40 })], onNetwork);
    nowMs = 50_000;
    const before = sets.dump();
    assert.equal(admission.heal(), 0);
    flushSet(sets, setNames[set]);
    assert.notDeepEqual(sets.dump(), before);
    assert.equal(admission.heal(), 2);
    assert.deepEqual(sets.dump().toSorted(), before.toSorted());
  }
});

test("nothing is put back that was taken away, or has run out", () => {
  let nowMs = 0;
  const sets = freshSets(() => nowMs);
  const admission = startAdmission({ sets, graceSeconds: 300, nowMs: () => nowMs });
  admission.own(asker, "sandbox-1");
  admission.admit([grant(1)], onNetwork, "sandbox-1");
  admission.disown(asker, "sandbox-1");
  assert.equal(admission.heal(), 0);
  admission.admit([grant(2)], onNetwork);
  nowMs = 301_000;
  assert.equal(admission.heal(), 0);
  assert.deepEqual(sets.list(setNames.grant4), []);
});

test("the answers of one turn go in one request, each entry for as long as any of them wants it", async () => {
  const { sets, admission } = start();
  const requests: number[] = [];
  const addAll = sets.addAll;
  sets.addAll = (changes) => {
    requests.push(changes.length);
    addAll(changes);
  };
  const neighbour = "198.18.0.3" as IpAddress;
  await Promise.all([
    admitInTurn(admission, [grant(1, onePort, { leaseSeconds: 900 })]),
    admitInTurn(admission, [grant(1, onePort, { leaseSeconds: 60, domain: "b.example.org" })]),
    admitInTurn(admission, [grant(2, anyService, { asker: neighbour })]),
  ]);
  assert.deepEqual(requests, [3]);
  const [first] = sets.list(setNames.grant4);
  assert.equal(first?.timeoutSeconds, 900);
  // What the kernel has for nearly as long is admitted at once, and nothing asked of it.
  const ends: number[] = [];
  const at = { grants: [grant(1, onePort, { leaseSeconds: 900 })], networkOf: onNetwork, holder: undefined };
  admission.admitInTurn(at, { take: (endAtMs) => ends.push(endAtMs), fail: assert.fail });
  assert.equal(ends.length, 1);
  assert.equal(requests.length, 1);
});

test("what one of the answers of a turn must not have is refused to it alone", async () => {
  const { sets, admission } = start();
  sets.limit(setNames.grant4, 3);
  const outcomes = await Promise.allSettled(
    [wide, onePort, onePort, onePort, onePort].map((service, at) =>
      admitInTurn(admission, [grant(at, service)]),
    ),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["rejected", "fulfilled", "fulfilled", "fulfilled", "rejected"],
  );
  assert.equal(sets.list(setNames.grant4).length, 3);
});
