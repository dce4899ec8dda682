import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Override,
  overridesOf,
  parseOverride,
  renderOverride,
  withNegation,
} from "../../../../src/core/policy/override.ts";

const network = { kind: "network", name: "app" } as const;

describe("renderOverride and parseOverride", () => {
  const overrides: readonly Override[] = [
    { target: network, entry: "api.example.com:443/tcp", endsAtMs: undefined },
    { target: network, entry: "!*.example.com", endsAtMs: 5000 },
    { target: { kind: "container", name: "project-app-1" }, entry: "@debian", endsAtMs: 1 },
    { target: { kind: "network", name: "my net" }, entry: "[2001:db8::/32]:443", endsAtMs: undefined },
    { target: { kind: "network", name: "networkübung" }, entry: "a.example.com", endsAtMs: undefined },
  ];
  for (const override of overrides) {
    it(`keep ${override.entry} for ${override.target.name}`, () =>
      assert.deepEqual(parseOverride(renderOverride(override) ?? "", override.endsAtMs), override));
  }
  for (const comment of [
    "",
    "network",
    "network app",
    "networks app a.example.com",
    "host app x",
    " network a b",
    "network app ",
  ])
    it(`take ${JSON.stringify(comment)} for nothing of ours`, () =>
      assert.equal(parseOverride(comment, undefined), undefined));
  it("keep no override that does not fit into a comment of the kernel, in bytes", () => {
    const entry = (length: number): Override => ({
      target: network,
      entry: "x".repeat(length),
      endsAtMs: undefined,
    });
    assert.equal(renderOverride(entry(243))?.length, 255);
    assert.equal(renderOverride(entry(244)), undefined);
    assert.equal(renderOverride({ ...entry(241), target: { kind: "network", name: "üüü" } }), undefined);
  });
});

describe("withNegation", () => {
  const cases: readonly [text: string, negated: boolean, expected: string | undefined][] = [
    ["a.example.com", true, "!a.example.com"],
    ["!a.example.com", true, "!a.example.com"],
    ["!a.example.com", false, "a.example.com"],
    ["A.example.com.:0443", false, "a.example.com:443"],
    ["@Debian:443", true, "!@debian:443"],
    ["203.0.113.7", true, "!203.0.113.7/32"],
    ["localhost", true, undefined],
    ["a.example.com@10.1.2.3/8", false, "a.example.com@10.0.0.0/8"],
    ["a.example.com@10.0.0.0/8", true, undefined],
  ];
  for (const [text, negated, expected] of cases)
    it(`${text}, ${negated}, is ${expected}`, () => assert.equal(withNegation(text, negated), expected));
});

/** Whatever a list may hold can be kept, or is known not to be, in either form. */
it("withNegation gives nothing that cannot be read again", () => {
  const hosts = ["a.example.com", "*.a.example.com", "a*.b.example.com", "@debian", "host", "10.1.2.3"];
  const ranges = ["", "@10.0.0.0/8", "@[2001:db8::]"];
  for (const host of hosts)
    for (const range of ranges)
      for (const negated of [false, true]) {
        const form = withNegation(`${host}${range}:443/tcp`, negated);
        if (form !== undefined) assert.equal(withNegation(form, negated), form);
      }
});

describe("overridesOf", () => {
  it("are those of this target alone", () => {
    const overrides: readonly Override[] = [
      { target: network, entry: "a.example.com", endsAtMs: undefined },
      { target: { kind: "container", name: "app" }, entry: "b.example.com", endsAtMs: undefined },
      { target: { kind: "network", name: "app2" }, entry: "c.example.com", endsAtMs: undefined },
    ];
    assert.deepEqual(overridesOf(overrides, network), overrides.slice(0, 1));
  });
});
