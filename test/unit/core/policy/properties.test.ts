import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type IpAddress, parseAddress } from "../../../../src/core/model/address.ts";
import { serviceGrants } from "../../../../src/core/model/service.ts";
import { parseAllowlist } from "../../../../src/core/policy/allowlist.ts";
import { decidePacket } from "../../../../src/core/policy/decide/packet.ts";
import type { Policy } from "../../../../src/core/policy/decide/policy.ts";
import { decideName } from "../../../../src/core/policy/decide.ts";
import { type Entry, parseEntry, renderEntry } from "../../../../src/core/policy/entry.ts";
import { compileList } from "../../../../src/core/policy/entry-list.ts";
import { parseOverride, renderOverride } from "../../../../src/core/policy/override.ts";
import { type NaivePacket, namesName, passes, passesByName } from "../../../support/naive-policy.ts";
import { presets, servicesAt } from "../../../support/policies.ts";
import { addresses, entries, grants, names, nearLookups, packets } from "../../../support/random-policies.ts";

function policyOf(...lists: readonly (readonly Entry[])[]): Policy {
  return {
    network: "web",
    lists: lists.map((list, id) =>
      compileList({ id, source: "test", entries: list, digest: "", endsAtMs: undefined }),
    ),
  };
}

function allowsByName(policy: Policy, name: string, { ipProtocol, port }: NaivePacket): boolean {
  const decision = decideName(policy, name, 0);
  return decision.allowed && decision.services.some((service) => serviceGrants(service, ipProtocol, port));
}

interface Tried {
  readonly name: string;
  readonly destination: IpAddress;
  readonly packet: NaivePacket;
}

const targets: fc.Arbitrary<Tried> = fc.record({ name: names, destination: addresses, packet: packets });

function allowsPacket(policy: Policy, { name, destination, packet }: Tried): boolean {
  return decidePacket(policy, { destination, ...packet }, [name], 0).allowed;
}

const lists = fc.array(entries, { maxLength: 12 });
const listsNearLookups = fc.array(nearLookups, { maxLength: 5 });
const destinationsNearLookups = fc.constantFrom(
  ...["203.0.113.7", "203.0.113.8", "10.1.2.3"].flatMap((text) => parseAddress(text) ?? []),
);
const packetsNearLookups = fc.record({
  ipProtocol: fc.constantFrom(6, 17),
  port: fc.integer({ min: 50, max: 54 }),
});
const runs = { numRuns: 2000 };

describe("renderEntry and parseEntry", () => {
  it("parse(render(entry)) is the entry", () => {
    fc.assert(
      fc.property(entries, (entry) => assert.deepEqual(parseEntry(renderEntry(entry)), { entry })),
      runs,
    );
  });
  it("render(parse(text)) is stable, whatever parses", () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(..."aB1.-_*!:/@[]hostcpudü。\u200b"), maxLength: 24 }),
      entries.map((entry) => ` ${renderEntry(entry).toUpperCase()}. `.trim()),
      fc.string({ unit: "binary", maxLength: 12 }).map((part) => `${part}.example.com`),
    );
    fc.assert(
      fc.property(text, (written) => {
        const first = parseEntry(written);
        if ("problem" in first) return;
        const rendered = renderEntry(first.entry);
        assert.match(rendered, /^[!-~]+$/);
        assert.deepEqual(parseEntry(rendered), first);
        assert.equal(renderEntry(first.entry), rendered);
      }),
      { numRuns: 5000 },
    );
  });
  it("a list of rendered entries is parsed to the same entries", () => {
    fc.assert(
      fc.property(lists, fc.constantFrom(" ", ",", "\n", ", "), (list, separator) => {
        assert.deepEqual(parseAllowlist(list.map(renderEntry).join(separator), presets), {
          ok: true,
          entries: list,
        });
      }),
    );
  });
  it("an override is read back from its comment", () => {
    fc.assert(
      fc.property(
        entries,
        fc.constantFrom("network" as const, "container" as const),
        fc.constantFrom("app", "my net", "a b c"),
        (entry, kind, name) => {
          const override = { target: { kind, name }, entry: renderEntry(entry), endsAtMs: undefined };
          assert.deepEqual(parseOverride(renderOverride(override) ?? "", undefined), override);
        },
      ),
    );
  });
});

describe("decisions", () => {
  it("are those of a naive reading, by name", () => {
    fc.assert(
      fc.property(fc.array(lists, { maxLength: 3 }), names, packets, (written, name, packet) => {
        const all = written.flat();
        const policy = policyOf(...written);
        assert.equal(allowsByName(policy, name, packet), passesByName(all, name, packet));
        const { by } = decideName(policy, name, 0);
        assert.ok(by.every(({ entry }) => namesName(entry, name)));
      }),
      runs,
    );
  });
  it("are those of a naive reading, by packet", () => {
    fc.assert(
      fc.property(
        fc.array(lists, { maxLength: 3 }),
        addresses,
        fc.array(names, { maxLength: 3 }),
        packets,
        (written, destination, known, packet) => {
          const policy = policyOf(...written);
          const verdict = decidePacket(policy, { destination, ...packet }, known, 0);
          assert.equal(verdict.allowed, passes(written.flat(), destination, known, packet));
        },
      ),
      runs,
    );
  });
  it("are those of a naive reading, of a long list", () => {
    fc.assert(
      fc.property(
        fc.array(entries, { minLength: 300, maxLength: 1000 }),
        fc.array(names, { minLength: 20 }),
        packets,
        (list, wanted, packet) => {
          const policy = policyOf(list);
          for (const name of wanted)
            assert.equal(allowsByName(policy, name, packet), passesByName(list, name, packet), name);
        },
      ),
      { numRuns: 20 },
    );
  });
  it("do not depend on the order of entries, nor on how they are spread over lists", () => {
    fc.assert(
      fc.property(lists, fc.nat(), targets, (list, at, target) => {
        const cut = at % (list.length + 1);
        const other = policyOf(list.slice(cut).toReversed(), list.slice(0, cut));
        assert.equal(allowsPacket(other, target), allowsPacket(policyOf(list), target));
      }),
      runs,
    );
  });
  it("adding an entry that grants never narrows", () => {
    fc.assert(
      fc.property(lists, grants, fc.boolean(), targets, (list, added, apart, target) => {
        const before = policyOf(list);
        const after = apart ? policyOf(list, [added]) : policyOf([...list, added]);
        const { name, packet } = target;
        if (allowsByName(before, name, packet)) assert.ok(allowsByName(after, name, packet));
        if (allowsPacket(before, target)) assert.ok(allowsPacket(after, target));
      }),
      runs,
    );
  });
  it("adding a `!` entry never widens", () => {
    fc.assert(
      fc.property(lists, grants, fc.boolean(), targets, (list, taken, apart, target) => {
        const before = policyOf(list);
        const added: Entry = { ...taken, negated: true };
        const after = apart ? policyOf(list, [added]) : policyOf([...list, added]);
        const { name, packet } = target;
        if (!allowsByName(before, name, packet)) assert.ok(!allowsByName(after, name, packet));
        if (!allowsPacket(before, target)) assert.ok(!allowsPacket(after, target));
      }),
      runs,
    );
  });
  it("the same near the port of lookups, which is open only where it is written", () => {
    const name = "a.example.com";
    fc.assert(
      fc.property(
        ...([listsNearLookups, nearLookups, destinationsNearLookups, packetsNearLookups] as const),
        (list, added, destination, packet) => {
          const target = { name, destination, packet };
          const before = policyOf(list);
          const after = policyOf(list, [{ ...added, negated: true }]);
          assert.equal(allowsPacket(before, target), passes(list, destination, [name], packet));
          assert.equal(allowsByName(before, name, packet), passesByName(list, name, packet));
          if (!allowsByName(before, name, packet)) assert.ok(!allowsByName(after, name, packet));
          if (!allowsPacket(before, target)) assert.ok(!allowsPacket(after, target));
        },
      ),
      { numRuns: 10_000 },
    );
  });
  it("what is granted for an answer's address is what a packet to it may do", () => {
    fc.assert(
      fc.property(lists, names, addresses, packets, (list, name, destination, packet) => {
        const policy = policyOf(list);
        const decision = decideName(policy, name, 0);
        const granted = servicesAt(policy, decision, destination);
        const passing = granted.some((service) => serviceGrants(service, packet.ipProtocol, packet.port));
        const { allowed, name: by } = decidePacket(policy, { destination, ...packet }, [name], 0);
        if (passing) assert.ok(allowed);
        else assert.ok(!allowed || by === undefined, "allowed by the name, and not granted for it");
      }),
      runs,
    );
  });
});
