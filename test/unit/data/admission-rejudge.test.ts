// What is taken out of the kernel when a policy changes, and what stays.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { Membership } from "../../../src/core/askers/standing.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { decideName } from "../../../src/core/policy/decide.ts";
import type { PolicyView } from "../../../src/data/admission/rejudging.ts";
import { type Admission, startAdmission } from "../../../src/data/admission.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { createFakeSets, type FakeSets } from "../../support/fake-sets.ts";
import { policyOf, servicesAt } from "../../support/policies.ts";
import { unlabelled } from "../../support/topologies.ts";

const web = "198.19.1.2" as IpAddress;
const neighbour = "198.19.1.3" as IpAddress;
const one = "203.0.113.1" as IpAddress;
const two = "203.0.113.2" as IpAddress;

let now = 0;
let sets: FakeSets;
let admission: Admission;

function restart(): void {
  admission = startAdmission({ sets, graceSeconds: 0, nowMs: () => now });
}

function membershipOf(asker: IpAddress, label: string): Membership {
  return {
    networkId: "n",
    networkName: "n",
    policy: policyOf("n", label),
    labels: unlabelled,
    internal: false,
    gateways: [],
    addresses: [asker],
  };
}

/** Everybody's label; the label is the key, too. */
function viewOf(labels: Readonly<Record<string, string>>): PolicyView {
  return {
    epoch: JSON.stringify(labels),
    keyOf: (asker) => labels[asker],
    membershipsOf: (asker) => [membershipOf(asker, labels[asker] ?? "")],
  };
}

/** Whose open flows had to be judged again. */
function rejudge(view: PolicyView): readonly IpAddress[] {
  let changed: readonly IpAddress[] = [];
  admission.rejudge(view, (askers) => {
    changed = [...askers];
  });
  return changed;
}

/** An answer, granted as the label says. */
function look(asker: IpAddress, label: string, name: string, address: IpAddress): void {
  const policy = policyOf("n", label);
  const decision = decideName(policy, name, now);
  const services = servicesAt(policy, decision, address, now);
  admission.admit(
    services.map((service) => ({ asker, destination: address, domain: name, service, leaseSeconds: 300 })),
    () => "n1",
    admission.holderOf(asker),
  );
}

/** Entries of grant and pair, without their comments. */
const open = (): readonly string[] =>
  sets
    .dump()
    .filter((line) => /^dockerwall-(?:grant|pair)/.test(line))
    .map((line) => (line.split(" ")[1] ?? "") + (line.startsWith("dockerwall-pair") ? " pair" : ""));

beforeEach(() => {
  now = 0;
  sets = createFakeSets(() => now);
  createSets(sets);
  restart();
  for (const asker of [web, neighbour]) {
    admission.own(asker, `sandbox of ${asker}`.replaceAll(" ", "-"));
    admission.cleared(asker);
  }
});

it("takes away at an address of the host's own networks what an entry for it does not allow any more", () => {
  admission = startAdmission({ sets, graceSeconds: 0, nowMs: () => now, isInside: () => true });
  admission.own(web, "sandbox");
  rejudge(viewOf({ [web]: "a.example.com 203.0.113.0/24:443" }));
  const service = { protocol: "any", ports: { from: 443, to: 443 } } as const;
  const grant = { asker: web, destination: one, domain: "a.example.com", service, leaseSeconds: 300 };
  admission.admit([grant], () => "n1", "sandbox");
  const granted = (): readonly string[] => open().filter((each) => !each.endsWith("pair"));
  assert.equal(granted().length, 2);
  rejudge(viewOf({ [web]: "a.example.com 203.0.113.0/24:443/tcp" }));
  assert.deepEqual(granted(), ["203.0.113.1,6:443,198.19.1.2"]);
});

const changes: readonly [name: string, before: string, after: string, left: readonly string[]][] = [
  ["the same policy", "a.example.com:443/tcp", "a.example.com:443/tcp", ["203.0.113.1,6:443,198.19.1.2"]],
  ["more", "a.example.com:443/tcp", "a.example.com:443/tcp b.example.com", ["203.0.113.1,6:443,198.19.1.2"]],
  [
    "the same written otherwise",
    "a.example.com:443/tcp",
    "*.example.com:443",
    ["203.0.113.1,6:443,198.19.1.2"],
  ],
  ["nothing any more", "a.example.com:443/tcp", "", []],
  ["another name", "a.example.com:443/tcp", "b.example.com:443/tcp", []],
  ["another port", "a.example.com:443/tcp", "a.example.com:80/tcp", []],
  ["fewer ports", "a.example.com:80-82/tcp", "a.example.com:81/tcp", ["203.0.113.1,6:81,198.19.1.2"]],
  ["one protocol of two", "a.example.com:123", "a.example.com/udp", ["203.0.113.1,17:123,198.19.1.2"]],
  ["port 53, which is no longer named by itself", "a.example.com:53/udp", "a.example.com/udp", []],
  ["`!` of the name", "*.example.com:443/tcp", "*.example.com:443/tcp !a.example.com", []],
  [
    "`!` of the name's port",
    "*.example.com:443/tcp",
    "*.example.com:443/tcp !a.example.com:80",
    ["203.0.113.1,6:443,198.19.1.2"],
  ],
  ["`!` of the address", "*.example.com:443/tcp", "*.example.com:443/tcp !203.0.113.1", []],
  [
    "`!` of another address",
    "*.example.com:443/tcp",
    "*.example.com:443/tcp !203.0.113.2",
    ["203.0.113.1,6:443,198.19.1.2"],
  ],
  [
    "the address in place of the name",
    "a.example.com:443/tcp",
    "203.0.113.0/24",
    ["203.0.113.1,6:443,198.19.1.2"],
  ],
  [
    "every port, as before",
    "a.example.com",
    "*.example.com",
    ["203.0.113.1,6:80,198.19.1.2", "203.0.113.1,6:443,198.19.1.2", "203.0.113.1,6:0,198.19.1.2 pair"],
  ],
  [
    "one port of every port",
    "a.example.com",
    "a.example.com:443",
    ["203.0.113.1,6:443,198.19.1.2", "203.0.113.1,6:0,198.19.1.2 pair"],
  ],
  ["nothing of every port", "a.example.com", "b.example.com", []],
];

describe("rejudge", () => {
  for (const [name, before, after, left] of changes) {
    it(name, () => {
      look(web, before, "a.example.com", one);
      rejudge(viewOf({ [web]: before }));
      const changed = rejudge(viewOf({ [web]: after }));
      assert.deepEqual(open(), left);
      assert.deepEqual(changed, before === after ? [] : [web]);
    });
  }

  it("a port that the policy has lost is not opened by what was granted before", () => {
    const packet = { source: web, destination: one, protocol: 6, port: 80, setPort: 80 };
    look(web, "a.example.com", "a.example.com", one);
    rejudge(viewOf({ [web]: "a.example.com" }));
    assert.ok(admission.judge(packet, [membershipOf(web, "a.example.com")]));
    rejudge(viewOf({ [web]: "a.example.com:443" }));
    assert.ok(!admission.judge(packet, [membershipOf(web, "a.example.com:443")]));
    assert.ok(
      admission.judge({ ...packet, port: 443, setPort: 443 }, [membershipOf(web, "a.example.com:443")]),
    );
  });

  it("takes a right to ports around 53 for none to port 53, which is opened when it is looked up", () => {
    const label = "a.example.com:53/udp";
    look(web, "a.example.com:50-53/udp", "a.example.com", one);
    rejudge(viewOf({ [web]: "a.example.com:50-53/udp" }));
    rejudge(viewOf({ [web]: label }));
    assert.deepEqual(open(), []);
    look(web, label, "a.example.com", one);
    assert.deepEqual(open(), ["203.0.113.1,17:53,198.19.1.2"]);
  });

  it("keeps what another name of the address still allows", () => {
    look(web, "*.example.com:443/tcp", "a.example.com", one);
    look(web, "*.example.com:443/tcp", "b.example.com", one);
    look(web, "*.example.com:443/tcp", "a.example.com", two);
    rejudge(viewOf({ [web]: "*.example.com:443/tcp" }));
    rejudge(viewOf({ [web]: "*.example.com:443/tcp !a.example.com" }));
    assert.deepEqual(open(), ["203.0.113.1,6:443,198.19.1.2"]);
  });

  it("keeps every port for another name of the address, whichever was looked up last", () => {
    const packet = { source: web, destination: one, protocol: 6, port: 22, setPort: 22 };
    for (const name of ["a", "b", "a"]) look(web, "*.example.com", `${name}.example.com`, one);
    rejudge(viewOf({ [web]: "*.example.com" }));
    const without = (names: string): string => `*.example.com ${names}`;
    rejudge(viewOf({ [web]: without("!a.example.com") }));
    assert.ok(admission.judge(packet, [membershipOf(web, without("!a.example.com"))]));
    rejudge(viewOf({ [web]: without("!a.example.com !b.example.com") }));
    assert.deepEqual(open(), []);
  });

  it("takes what leads by a translator to an address that is taken away now", () => {
    const asker = "2001:db8:1::2" as IpAddress;
    const to = "64:ff9b::cb00:7101" as IpAddress;
    admission.own(asker, "sandbox");
    look(asker, "a.example.com:443/tcp", "a.example.com", to);
    rejudge(viewOf({ [asker]: "a.example.com:443/tcp" }));
    assert.equal(open().length, 1);
    rejudge(viewOf({ [asker]: "a.example.com:443/tcp !203.0.113.1" }));
    assert.deepEqual(open(), []);
  });

  it("leaves neighbours alone", () => {
    const label = "a.example.com:443/tcp";
    for (const asker of [web, neighbour]) look(asker, label, "a.example.com", one);
    rejudge(viewOf({ [web]: label, [neighbour]: label }));
    assert.deepEqual(rejudge(viewOf({ [web]: "", [neighbour]: label })), [web]);
    assert.deepEqual(open(), ["203.0.113.1,6:443,198.19.1.3"]);
  });

  it("waits for what is not known yet", () => {
    look(web, "a.example.com:443/tcp", "a.example.com", one);
    rejudge(viewOf({ [web]: "a.example.com:443/tcp" }));
    assert.deepEqual(rejudge(viewOf({})), []);
    assert.equal(open().length, 1);
  });

  it("does not cut who has just come and was granted nothing", () => {
    assert.deepEqual(rejudge(viewOf({ [web]: "a.example.com" })), []);
    assert.deepEqual(rejudge(viewOf({ [web]: "b.example.com" })), [web]);
  });

  it("cuts who has come by another policy, though nothing that was granted to it is left", () => {
    rejudge(viewOf({ [web]: "a.example.com", [neighbour]: "a.example.com" }));
    const late = "198.19.1.4" as IpAddress;
    admission.own(late, "late");
    assert.deepEqual(rejudge(viewOf({ [late]: "b.example.com" })), [late]);
  });

  it("does not cut who has come by these policies and was granted nothing", () => {
    const view = viewOf({ [web]: "a.example.com", [neighbour]: "a.example.com" });
    const late = "198.19.1.4" as IpAddress;
    rejudge(view);
    admission.own(late, "late");
    assert.deepEqual(rejudge({ ...view, keyOf: () => "a.example.com" }), []);
  });

  for (const [what, after, cut] of [
    ["a narrower policy", "b.example.com", [web]],
    ["a policy of others", "a.example.com", []],
  ] as const)
    it(`judges who has taken its address off and put it on again by what it had then: ${what}`, () => {
      const label = "a.example.com";
      rejudge(viewOf({ [web]: label, [neighbour]: label }));
      const sandbox = admission.holderOf(web) ?? "";
      admission.disown(web, sandbox);
      admission.own(web, sandbox);
      const view = viewOf({ [web]: after, [neighbour]: label });
      assert.deepEqual(rejudge({ ...view, epoch: "other policies" }), cut);
    });

  it("judges who takes over an address by nothing of who had it before", () => {
    const view = viewOf({ [web]: "a.example.com" });
    rejudge(view);
    admission.disown(web, admission.holderOf(web) ?? "");
    admission.own(web, "heir");
    assert.deepEqual(rejudge({ ...view, keyOf: () => "b.example.com" }), []);
  });

  it("judges what was granted before the first policy was known", () => {
    look(web, "a.example.com:443/tcp", "a.example.com", one);
    assert.deepEqual(rejudge(viewOf({ [web]: "b.example.com" })), [web]);
    assert.deepEqual(open(), []);
  });

  it("a new daemon finds what was narrowed while none ran, and nothing else", () => {
    look(web, "*.example.com:443/tcp", "a.example.com", one);
    look(web, "*.example.com:443/tcp", "b.example.com", two);
    rejudge(viewOf({ [web]: "*.example.com:443/tcp" }));
    restart();
    assert.deepEqual(rejudge(viewOf({ [web]: "*.example.com:443/tcp" })), []);
    assert.equal(open().length, 2);
    restart();
    assert.deepEqual(rejudge(viewOf({ [web]: "b.example.com:443/tcp" })), [web]);
    assert.deepEqual(open(), ["203.0.113.2,6:443,198.19.1.2"]);
  });

  it("what was taken out is out for a new daemon as well", () => {
    look(web, "a.example.com", "a.example.com", one);
    rejudge(viewOf({ [web]: "a.example.com" }));
    rejudge(viewOf({ [web]: "" }));
    restart();
    assert.ok(!admission.isOpen(web, one));
    assert.deepEqual(rejudge(viewOf({ [web]: "" })), []);
    assert.deepEqual(
      sets.list(setNames.owner4).map(({ comment = "" }) => comment.split(" ").length),
      [2, 1],
    );
  });

  it("judges who has come since, and nobody else, while the policies are the same", () => {
    const view = { ...viewOf({ [web]: "a.example.com:443/tcp" }), epoch: "one" };
    rejudge(view);
    look(web, "a.example.com:443/tcp", "a.example.com", one);
    let asked: IpAddress[] = [];
    const keyOf = (asker: IpAddress): string | undefined => {
      asked.push(asker);
      return view.keyOf(asker);
    };
    const counting = { ...view, keyOf };
    rejudge(counting);
    // The neighbour is still not known.
    assert.deepEqual(asked, [neighbour]);
    asked = [];
    rejudge({ ...counting, epoch: "two" });
    assert.deepEqual(asked.toSorted(), [web, neighbour].toSorted());
  });

  it("who dies while flows are cut is followed by one who judges again", () => {
    look(web, "*.example.com:443/tcp", "a.example.com", one);
    rejudge(viewOf({ [web]: "*.example.com:443/tcp" }));
    const died = new Error("died");
    assert.throws(
      () =>
        admission.rejudge(viewOf({ [web]: "" }), () => {
          throw died;
        }),
      died,
    );
    restart();
    assert.deepEqual(rejudge(viewOf({ [web]: "" })), [web]);
  });
});

describe("flows that could not be cut", () => {
  it("are cut with the next picture, though it is the same one", () => {
    look(web, "one.example", "one.example", one);
    rejudge(viewOf({ [web]: "one.example" }));
    const narrowed = viewOf({ [web]: "two.example" });
    const fails = (): never => {
      throw new Error("conntrack is busy");
    };
    for (let attempt = 0; attempt < 2; attempt++)
      assert.throws(() => admission.rejudge(narrowed, fails), /conntrack is busy/);
    assert.deepEqual(open(), []);
    assert.deepEqual(rejudge(narrowed), [web]);
    assert.deepEqual(rejudge(narrowed), []);
  });

  it("are cut, too, of a container of which nothing else is left after the first attempt", () => {
    look(web, "one.example", "one.example", one);
    const view = viewOf({ [web]: "" });
    assert.throws(() =>
      admission.rejudge(view, () => {
        throw new Error("conntrack is busy");
      }),
    );
    assert.deepEqual(rejudge(view), [web]);
  });
});

describe("a name that is too long for a comment of the kernel's", () => {
  // A label of 63 bytes, most of them written as `\001`: what a comment can hold would end in `.example.com`.
  const name = `${"\\001".repeat(60)}aaa.example.com.below.example.net`;
  const before = "*.example.net *.example.com";

  for (const [after, left] of [
    ["*.example.com", []],
    ["*.example.net", open],
  ] as const) {
    it(`is judged by its end after a restart: ${after}`, () => {
      rejudge(viewOf({ [web]: before }));
      look(web, before, name, one);
      const all = open();
      assert.notDeepEqual(all, []);
      restart();
      rejudge(viewOf({ [web]: after }));
      assert.deepEqual(open(), left === open ? all : left);
    });
  }
});

describe("what is taken out of the kernel though a right of the ledger would cover it", () => {
  const names = Array.from({ length: 17 }, (_, index) => `n${index}.example.com`);
  const all = names.map((name) => `${name}:443/tcp`).join(" ");
  const [first = ""] = names;

  /** So many names lead to one address that the first one is remembered by its right only. */
  function forgetFirst(): void {
    for (const name of names) look(web, all, name, one);
  }

  it("goes to the kernel again with the next answer", () => {
    forgetFirst();
    rejudge(viewOf({ [web]: `${first}:443/tcp` }));
    look(web, `${first}:443/tcp`, first, one);
    assert.deepEqual(open(), ["203.0.113.1,6:443,198.19.1.2"]);
  });

  it("is so too when it was read from there", () => {
    forgetFirst();
    const key = { kind: "ip-port-ip", first: one, protocol: 6, port: 443, second: web } as const;
    const label = `${first}:443/tcp`;
    const before = admission.revocations;
    assert.equal(
      admission.takeLeft([{ set: "grant4", key }], () => [membershipOf(web, label)]),
      1,
    );
    assert.deepEqual(open(), []);
    assert.notEqual(admission.revocations, before);
    assert.equal(admission.heal(), 0);
    look(web, label, first, one);
    assert.deepEqual(open(), ["203.0.113.1,6:443,198.19.1.2"]);
  });
});
