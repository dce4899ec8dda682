// Entries, names and packets for property tests, from few labels and ports, so that they meet.

import fc from "fast-check";
import { parsePrefix } from "../../src/core/model/address.ts";
import { anyService, type Protocol, type Service } from "../../src/core/model/service.ts";
import { type Entry, parseEntry } from "../../src/core/policy/entry.ts";

/** With the prototype that a parser's objects have. */
const record = <T>(model: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true });

const label = fc.constantFrom("a", "b", "ab", "_x", "a-1");
const glob = fc.constantFrom("*", "a*", "*b", "a*b", "*-*", "a*1", "a*01*");
const owner = fc.constantFrom("example.com", "example.org", "x.example.com", "co.uk");

/** Names in presentation form. */
export const names: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(fc.constantFrom("a", "b", "ab", "_x", "a-1", "aab", "a\\.b", "a\\001", "a1\\0011"), {
      maxLength: 3,
    }),
    owner,
  )
  .map(([labels, rest]) => [...labels, rest].join("."));

/** Around port 53 too, which counts only where it is written alone. */
const ports = fc
  .tuple(fc.constantFrom(0, 0, 49), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 4 }))
  .map(([above, from, width]) => ({ from: above + from, to: above + from + width }));

/** What can be written: `other` is left out. */
export const services: fc.Arbitrary<Service> = fc.oneof(
  fc.constant(anyService),
  record({
    protocol: fc.constantFrom<Protocol | "any">("tcp", "udp", "any"),
    ports: fc.oneof(ports, fc.constant({ from: 1, to: 65_535 }), fc.constant({ from: 65_530, to: 65_535 })),
  }),
  fc.constantFrom<Protocol>("tcp", "udp").map((protocol) => ({ protocol, ports: "any" as const })),
);

const prefixTexts = [
  "0.0.0.0/0",
  "203.0.113.0/24",
  "203.0.113.0/25",
  "203.0.113.7",
  "203.0.113.200/29",
  "10.0.0.0/8",
  "10.1.2.0/24",
  "2001:db8::/32",
  "2001:db8::7",
  "fd00::/8",
  "::/0",
] as const;
const prefixes = fc.constantFrom(...prefixTexts.flatMap((text) => parsePrefix(text) ?? []));

/** Entries that grant. */
export const grants: fc.Arbitrary<Entry> = fc.oneof(
  record({
    kind: fc.constant("domain" as const),
    domain: fc
      .tuple(fc.array(label, { maxLength: 2 }), owner)
      .map(([labels, rest]) => [...labels, rest].join(".")),
    scope: fc.constantFrom("exact" as const, "subtree" as const),
    service: services,
    negated: fc.constant(false),
  }),
  record({
    kind: fc.constant("domain" as const),
    // A leading label of `*` alone would be a subtree.
    domain: fc
      .tuple(label, glob, fc.array(fc.oneof(label, glob), { maxLength: 1 }), owner)
      .map(([first, second, labels, rest]) => [first, second, ...labels, rest].join(".")),
    scope: fc.constant("glob" as const),
    service: services,
    negated: fc.constant(false),
  }),
  record({
    kind: fc.constant("prefix" as const),
    prefix: prefixes,
    service: services,
    negated: fc.constant(false),
  }),
  fc
    .record({
      kind: fc.constant("host" as const),
      protocol: fc.constantFrom<Protocol | "any">("tcp", "udp", "any"),
      ports,
      negated: fc.constant(false),
    })
    .map(({ ports: { from, to }, ...rest }) => ({ ...rest, from, to })),
);

/** Names that may lead into a range; such an entry takes nothing away. */
const intoRanges: fc.Arbitrary<Entry> = fc
  .tuple(grants, prefixes)
  .map(([entry, within]) => (entry.kind === "domain" ? { ...entry, within } : entry));

/** Entries of both kinds, more often those that grant. */
export const entries: fc.Arbitrary<Entry> = fc
  .tuple(grants, intoRanges, fc.integer({ min: 0, max: 5 }))
  .map(([entry, intoRange, dice]) => (dice === 5 ? intoRange : { ...entry, negated: dice === 0 }));

/** Entries for one name and for where it leads, with ports around that of lookups. */
export const nearLookups: fc.Arbitrary<Entry> = fc
  .tuple(
    fc.constantFrom("", "", "!"),
    fc.constantFrom(...["a.example.com", "*.example.com", "203.0.113.7", "203.0.113.0/24", "10.0.0.0/8"]),
    fc.constantFrom(...["", ":53", ":50-53", ":50-52", ":53-54", ":54", ":1-52", ":54-65535", ":1-65535"]),
    fc.constantFrom("", "", "/tcp", "/udp"),
  )
  .map((parts) => {
    const parsed = parseEntry(parts.join(""));
    if ("problem" in parsed || parsed.entry.kind === "preset") throw new TypeError(parts.join(""));
    return parsed.entry;
  });

/** Protocol number and port of packets that the services above tell apart. */
export const packets = fc.oneof(
  record({
    ipProtocol: fc.constantFrom(6, 17),
    port: fc.oneof(
      fc.integer({ min: 1, max: 14 }),
      fc.integer({ min: 50, max: 56 }),
      fc.constantFrom(443, 65_529, 65_535),
    ),
  }),
  fc.constant({ ipProtocol: 1, port: undefined }),
);

export const addresses = fc.constantFrom(
  ...[
    "203.0.113.7",
    "203.0.113.8",
    "203.0.113.203",
    "198.51.100.1",
    "10.1.2.3",
    "10.2.0.1",
    "fd00::1",
    "2001:db8::7",
    "2001:db8:1::1",
    "2001:db9::1",
  ].flatMap((text) => parsePrefix(text)?.address ?? []),
);
