import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { builtInPresets, presetsVersion } from "../../../../src/core/policy/built-in-presets.ts";
import { parseEntry, renderEntry } from "../../../../src/core/policy/entry.ts";
import {
  describeEntry,
  expandPreset,
  type Presets,
  parsePresetEntries,
} from "../../../../src/core/policy/preset.ts";
import { warnOfPublicSuffixes } from "../../../../src/core/policy/public-suffix.ts";
import { presets } from "../../../support/policies.ts";

function presetsOf(written: Readonly<Record<string, string>>): Presets {
  return new Map(
    Object.entries(written).map(([name, text]) => {
      const result = parsePresetEntries(name, text.split(" "));
      assert.ok("entries" in result, JSON.stringify(result));
      return [name, result.entries] as const;
    }),
  );
}

const own = presetsOf({
  web: "a.example.com:443/tcp *.example.org",
  mixed: "a.example.com:1-100 203.0.113.0/24/udp host:5432 b*.x.example.com:50/tcp",
  nothing: "host:1-10/tcp",
  edge: "a.example.com:53-60 b.example.com",
  resolvers: "a.example.com:50-60 b.example.com:53 c.example.com",
});

const expanded: readonly [reference: string, entries: string][] = [
  ["b.example.com:443", "b.example.com:443"],
  ["@web", "a.example.com:443/tcp *.example.org"],
  ["@WEB", "a.example.com:443/tcp *.example.org"],
  ["@web:443", "a.example.com:443/tcp *.example.org:443"],
  ["@web:80", "*.example.org:80"],
  ["@web/tcp", "a.example.com:443/tcp *.example.org/tcp"],
  ["@web/udp", "*.example.org/udp"],
  ["@web:400-500/tcp", "a.example.com:443/tcp *.example.org:400-500/tcp"],
  ["!@web", "!a.example.com:443/tcp !*.example.org"],
  ["!@web:80", "!*.example.org:80"],
  ["@mixed:50", "a.example.com:50 203.0.113.0/24:50/udp b*.x.example.com:50/tcp"],
  ["@mixed:5432", "203.0.113.0/24:5432/udp host:5432"],
  ["@mixed/tcp", "a.example.com:1-100/tcp host:5432/tcp b*.x.example.com:50/tcp"],
  ["@mixed:90-6000/udp", "a.example.com:90-100/udp 203.0.113.0/24:90-6000/udp host:5432/udp"],
  ["!@nothing:5", "!host:5/tcp"],
  // Port 53 alone names a resolver: where either is written so, not where two ranges meet.
  ["@resolvers:40-53", "a.example.com:50-53 b.example.com:53 c.example.com:40-53"],
  ["@resolvers:53-55", "a.example.com:53-55 b.example.com:53 c.example.com:53-55"],
  ["@resolvers:53", "a.example.com:53 b.example.com:53 c.example.com:53"],
  ["@edge:40-53", "b.example.com:40-53"],
  ["!@edge:40-53", "!a.example.com:53 !b.example.com:40-53"],
];

const refused: readonly [reference: string, problem: RegExp][] = [
  ["@wep", /there is no preset @wep; did you mean @web\?/],
  ["@miexd", /did you mean @mixed\?/],
  ["@zzzzzzzz", /there is no preset @zzzzzzzz; the presets are @web @mixed @nothing @edge @resolvers/],
  ["@nothing:11", /no entry of @nothing covers :11; leave it out/],
  ["@nothing/udp", /no entry of @nothing covers \/udp/],
];

describe("expandPreset", () => {
  for (const [reference, entries] of expanded) {
    it(`${reference} stands for ${entries}`, () => {
      const parsed = parseEntry(reference);
      assert.ok("entry" in parsed);
      const result = expandPreset(parsed.entry, own);
      assert.ok("entries" in result, JSON.stringify(result));
      assert.equal(result.entries.map(renderEntry).join(" "), entries);
      if (parsed.entry.kind === "preset")
        assert.ok(result.entries.every((entry) => describeEntry(entry).includes(" (of @")));
    });
  }
  for (const [reference, problem] of refused) {
    it(`refuses ${reference}`, () => {
      const parsed = parseEntry(reference);
      assert.ok("entry" in parsed);
      const result = expandPreset(parsed.entry, own);
      assert.ok("problem" in result);
      assert.match(result.problem, problem);
    });
  }
});

describe("parsePresetEntries", () => {
  it("takes no `!`, no other preset and nothing that cannot be parsed, and tells each", () => {
    const result = parsePresetEntries("mine", ["ok.example.com", "!a.example.com", "@debian", "x:0"]);
    assert.ok("problems" in result);
    assert.match(
      result.problems.join("\n"),
      /^.*cannot take anything away; write `!`.*\n.*cannot name another.*\n.*1 to 65535.*$/,
    );
  });
});

describe("built-in presets", () => {
  for (const [name, { summary, entries }] of Object.entries(builtInPresets)) {
    it(`@${name} can be parsed, says where each entry is documented, and grants nothing of strangers`, () => {
      assert.ok(summary.length > 5);
      for (const source of Object.values(entries)) assert.ok(source.length > 10);
      const parsed = presets.get(name) ?? assert.fail();
      assert.equal(parsed.length, Object.keys(entries).length);
      assert.deepEqual(warnOfPublicSuffixes("preset", parsed), []);
      assert.deepEqual(parsed.map(renderEntry), Object.keys(entries));
    });
  }
  it("have a version", () => assert.match(presetsVersion, /^\d{4}-\d{2}-\d{2}$/));
  it("include those that the design names", () => {
    for (const name of "debian ubuntu alpine npm pypi github docker-hub letsencrypt anthropic openai".split(
      " ",
    ))
      assert.ok(presets.has(name), name);
  });
});
