// What is allowed for a time is open in the kernel for no longer, even if the daemon that should end it is dead by then.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { Membership } from "../../../../src/core/askers/standing.ts";
import { setNames } from "../../../../src/core/firewall/names.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { termsAt } from "../../../../src/core/policy/decide/led-to.ts";
import { decideName } from "../../../../src/core/policy/decide.ts";
import { type CompiledList, compileList } from "../../../../src/core/policy/entry-list.ts";
import { type Admission, startAdmission } from "../../../../src/data/admission.ts";
import { createSets } from "../../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets, type FakeSets } from "../../../support/fake-sets.ts";
import { listOf } from "../../../support/policies.ts";
import { unlabelled } from "../../../support/topologies.ts";

const asker = "198.18.0.2" as IpAddress;
const destination = "203.0.113.1" as IpAddress;

/** Entries, and when they end, ms; undefined for never. */
type Allowed = readonly (readonly [entries: string, endsAtMs: number | undefined])[];

let now = 0;
let sets: FakeSets;
let admission: Admission;
let lists = 0;

function start(): void {
  admission = startAdmission({ sets, graceSeconds: 300, nowMs: () => now });
}

function membershipOf(allowed: Allowed): Membership {
  return membershipBy(allowed.map(([text, endsAtMs]) => compileList(listOf(text, endsAtMs))));
}

function membershipBy(lists: readonly CompiledList[]): Membership {
  return {
    networkId: "n",
    networkName: "n",
    policy: { network: "n", lists },
    labels: unlabelled,
    internal: false,
    gateways: [],
    addresses: [asker],
  };
}

/** Whose flows were judged again. */
function rejudge(allowed: Allowed): readonly IpAddress[] {
  return rejudgeMember(membershipOf(allowed));
}

function rejudgeMember(membership: Membership): readonly IpAddress[] {
  const cut: IpAddress[] = [];
  lists++;
  admission.rejudge(
    {
      epoch: String(lists),
      keyOf: () => membership.policy.lists.map(({ digest }) => digest).join(),
      membershipsOf: () => [membership],
    },
    (askers) => cut.push(...askers),
  );
  return cut;
}

/** An answer, granted for 3,900 s. */
function look(allowed: Allowed): void {
  lookBy(membershipOf(allowed));
}

function lookBy({ policy }: Membership, sandbox = "sandbox", to = destination): void {
  const domain = "a.example.com";
  const decision = decideName(policy, domain, now);
  assert.ok(decision.allowed);
  const at = { address: to, inside: to.startsWith("10.") };
  const grants = termsAt(policy, decision.terms, at, now).flatMap(({ services, endsAtMs }) =>
    services.map((service) => ({
      ...{ asker, destination: to, domain, service },
      leaseSeconds: Math.min(3_900, Math.floor(((endsAtMs ?? Number.POSITIVE_INFINITY) - now) / 1000)),
      ...(endsAtMs === undefined ? {} : { endsAtMs }),
    })),
  );
  admission.admit(grants, () => "n", sandbox);
}

/** What is left of each entry, seconds. */
const left = (): readonly string[] =>
  (["grant4", "pair4"] as const).flatMap((set) =>
    sets.list(setNames[set]).map(({ key, timeoutSeconds, comment }) => {
      assert.ok(key.kind === "ip-port-ip");
      return `${set} ${key.protocol}:${key.port} ${timeoutSeconds} ${comment}`;
    }),
  );

beforeEach(() => {
  now = 0;
  sets = createFakeSets(() => now);
  createSets(sets);
  start();
  admission.own(asker, "sandbox");
  admission.cleared(asker);
});

const cases: readonly [title: string, before: Allowed, after: Allowed, left: readonly string[]][] = [
  [
    "a port, allowed by an override alone from now on",
    [["a.example.com:443/tcp b.example.com", undefined]],
    [
      ["b.example.com", undefined],
      ["a.example.com:443/tcp", 300_000],
    ],
    ["grant4 6:443 300 a.example.com"],
  ],
  [
    "the same entry, which ends now",
    [["a.example.com:443/tcp", undefined]],
    [["a.example.com:443/tcp", 300_000]],
    ["grant4 6:443 300 a.example.com"],
  ],
  [
    "an end that is sooner",
    [["a.example.com:443/tcp", 2_000_000]],
    [["a.example.com:443/tcp", 300_000]],
    ["grant4 6:443 300 a.example.com"],
  ],
  [
    "an end that something else outlasts",
    [["a.example.com:443/tcp", undefined]],
    [
      ["a.example.com:443/tcp", 300_000],
      ["*.example.com:443/tcp", undefined],
    ],
    ["grant4 6:443 3900 a.example.com"],
  ],
  [
    "every port for a time, and one for ever",
    [["a.example.com", undefined]],
    [
      ["a.example.com", 300_000],
      ["*.example.com:443/tcp", undefined],
    ],
    ["grant4 6:80 300 a.example.com", "grant4 6:443 3900 a.example.com", "pair4 6:0 300 any a.example.com"],
  ],
  [
    "every port for a time, and one of either protocol for ever",
    [["a.example.com", undefined]],
    [
      ["a.example.com", 300_000],
      ["*.example.com:443", undefined],
    ],
    [
      "grant4 6:80 300 a.example.com",
      "grant4 6:443 3900 a.example.com",
      "grant4 17:443 3900 a.example.com",
      "pair4 6:0 300 any a.example.com",
    ],
  ],
];

describe("a grant ends with what allows it", () => {
  for (const [title, before, after, expected] of cases) {
    it(title, () => {
      rejudge(before);
      look(before);
      rejudge(after);
      assert.deepEqual(left(), expected);
      // Nor is it made longer again by what was known of it.
      const told = left();
      start();
      rejudge(after);
      assert.deepEqual(left(), told);
    });
  }

  it("which its successor finds, too", () => {
    const label: Allowed = [["a.example.com:443/tcp", undefined]];
    rejudge(label);
    look(label);
    start();
    assert.deepEqual(rejudge([["a.example.com:443/tcp", 300_000]]), []);
    assert.deepEqual(left(), ["grant4 6:443 300 a.example.com"]);
  });

  it("for a first packet to an address that an entry names, too", () => {
    const packet = { source: asker, destination, protocol: 6, port: 443, setPort: 443 };
    const label: Allowed = [["203.0.113.0/24", undefined]];
    rejudge(label);
    assert.ok(admission.judge(packet, [membershipOf(label)]));
    assert.deepEqual(left(), ["grant4 6:443 3600 203.0.113.1"]);
    rejudge([["203.0.113.0/24", 300_000]]);
    assert.deepEqual(left(), ["grant4 6:443 300 203.0.113.1"]);
  });

  it("and lasts again as long as its lease once that has no end any more", () => {
    const label: Allowed = [["a.example.com:443/tcp", undefined]];
    rejudge(label);
    look(label);
    rejudge([["a.example.com:443/tcp", 300_000]]);
    rejudge(label);
    look(label);
    assert.deepEqual(left(), ["grant4 6:443 3900 a.example.com"]);
  });

  /** A list that stays the same one from picture to picture. */
  const lasting = compileList(listOf("a.example.com:443/tcp", undefined));
  const override = compileList(listOf("a.example.com:443/tcp", 300_000));

  it("though it is only what lasted that has gone", () => {
    rejudgeMember(membershipBy([override, lasting]));
    lookBy(membershipBy([override, lasting]));
    rejudgeMember(membershipBy([override]));
    assert.deepEqual(left(), ["grant4 6:443 300 a.example.com"]);
  });

  it("though the same end stood once before", () => {
    rejudgeMember(membershipBy([override]));
    rejudgeMember(membershipBy([lasting]));
    lookBy(membershipBy([lasting]));
    rejudgeMember(membershipBy([override]));
    assert.deepEqual(left(), ["grant4 6:443 300 a.example.com"]);
  });

  it("though the same end was another holder's of the address", () => {
    rejudgeMember(membershipBy([override]));
    admission.own(asker, "heir");
    lookBy(membershipBy([lasting]), "heir");
    rejudgeMember(membershipBy([override]));
    assert.deepEqual(left(), ["grant4 6:443 300 a.example.com"]);
  });

  it("which is looked at once for the same lists", () => {
    const label: Allowed = [["a.example.com:443/tcp", 300_000]];
    const membership = membershipOf(label);
    let asked = 0;
    const lists = membership.policy.lists.map((list) => ({
      ...list,
      nameEntries: (name: string) => {
        asked++;
        return list.nameEntries(name);
      },
    }));
    const counting = { ...membership, policy: { network: "n", lists } };
    const rejudgeAt = (epoch: string): number => {
      asked = 0;
      const view = { epoch, keyOf: () => "key", membershipsOf: () => [counting] };
      admission.rejudge(view, () => undefined);
      return asked;
    };
    rejudge([["a.example.com:443/tcp", undefined]]);
    look(label);
    assert.notEqual(rejudgeAt("one"), 0);
    assert.equal(rejudgeAt("two"), 0);
  });

  it("though the kernel refuses it at first", () => {
    const label: Allowed = [["a.example.com:443/tcp", undefined]];
    rejudge(label);
    look(label);
    const { addAll } = sets;
    sets.addAll = (): never => {
      throw new Error("refused");
    };
    const ending = membershipOf([["a.example.com:443/tcp", 300_000]]);
    const view = { epoch: "ending", keyOf: () => "key", membershipsOf: () => [ending] };
    assert.throws(() => admission.rejudge(view, () => undefined), /refused/);
    sets.addAll = addAll;
    admission.rejudge(view, () => undefined);
    assert.deepEqual(left(), ["grant4 6:443 300 a.example.com"]);
  });
});

describe("a renewal ends with what allows it", () => {
  const private1 = "10.1.2.3" as IpAddress;
  const override = compileList(listOf("a.example.com@10.0.0.0/8:443/tcp", 300_000));
  const label = compileList(listOf("a.example.com:443/tcp"));
  const both = membershipBy([label, override]);
  const lookAt = (membership: Membership, to: IpAddress): void => lookBy(membership, "sandbox", to);
  /** What is left of each address, seconds. */
  const secondsLeft = (): ReadonlyMap<string, number | undefined> =>
    new Map(
      sets.list(setNames.grant4).map(({ key, timeoutSeconds }) => {
        assert.ok(key.kind === "ip-port-ip");
        return [key.first, timeoutSeconds];
      }),
    );

  it("where the name leads elsewhere by another entry that lasts", () => {
    rejudgeMember(both);
    for (const to of [private1, destination, private1, destination]) lookAt(both, to);
    assert.deepEqual(Object.fromEntries(secondsLeft()), { [private1]: 300, [destination]: 3_900 });
    now = 100_000;
    lookAt(both, destination);
    assert.equal(secondsLeft().get(private1), 200);
    now = 299_500;
    lookAt(both, destination);
    assert.equal(secondsLeft().get(private1), 1);
    now = 300_000;
    assert.equal(secondsLeft().get(private1), undefined);
  });

  it("which another picture may have brought, when its lease was shorter anyway", () => {
    const lasting = compileList(listOf("a.example.com@10.0.0.0/8:443/tcp"));
    rejudgeMember(membershipBy([label, lasting]));
    lookAt(membershipBy([label, lasting]), private1);
    now = 3_700_000;
    const ending = membershipBy([label, compileList(listOf("a.example.com@10.0.0.0/8:443/tcp", 4_000_000))]);
    rejudgeMember(ending);
    assert.equal(secondsLeft().get(private1), 200);
    // Within the hour in which an address is kept for a name in use.
    lookAt(ending, private1);
    now += 100_000;
    lookAt(ending, destination);
    assert.equal(secondsLeft().get(private1), 200);
  });

  it("and not sooner once that has no end any more", () => {
    rejudgeMember(both);
    lookAt(both, private1);
    const lasting = membershipBy([label, compileList(listOf("a.example.com@10.0.0.0/8:443/tcp"))]);
    rejudgeMember(lasting);
    now = 100_000;
    lookAt(lasting, destination);
    assert.equal(secondsLeft().get(private1), 3_500);
  });

  it("for the longest of what allows it", () => {
    const longer = compileList(listOf("*.example.com@10.0.0.0/8:443/tcp", 2_000_000));
    const all = membershipBy([label, longer, override]);
    rejudgeMember(all);
    lookAt(all, private1);
    rejudgeMember(membershipBy([label, override, longer]));
    now = 100_000;
    lookAt(all, destination);
    assert.equal(secondsLeft().get(private1), 1_900);
  });
});
