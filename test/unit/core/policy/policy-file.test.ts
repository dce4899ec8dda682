import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderEntry } from "../../../../src/core/policy/entry.ts";
import { noPolicyFile, type PolicyFile, parsePolicyFile } from "../../../../src/core/policy/policy-file.ts";
import { presets } from "../../../support/policies.ts";

/** `preset @x: a b`, `networks x: a b`, … */
function textOf(file: PolicyFile): readonly string[] {
  return [
    ...[...file.presets].map(([name, entries]) => `@${name}: ${entries.map(renderEntry).join(" ")}`),
    ...[...file.networks].map(([name, list]) => `network ${name}: ${list}`),
    ...[...file.containers].map(([name, list]) => `container ${name}: ${list}`),
  ];
}

const accepted: readonly [name: string, text: string, read: readonly string[]][] = [
  ["an empty file", "", []],
  ["comments alone", "# nothing yet\n", []],
  ["an empty map", "{}", []],
  ["sections without anything", "presets:\nnetworks: {}\ncontainers: ~\n", []],
  ["a name without entries", "networks:\n  app:\n", ["network app: "]],
  [
    "every section",
    `presets:
  mirror: [apt.example.org:443, "*.mirror.example.org"]
networks:
  project_app: "@mirror api.example.com:443"
containers:
  project-app-1: metrics.example.com
`,
    [
      "@mirror: apt.example.org:443 *.mirror.example.org",
      "network project_app: @mirror api.example.com:443",
      "container project-app-1: metrics.example.com",
    ],
  ],
  [
    "JSON",
    '{"networks": {"app": ["a.example.com", "!b.example.com"]}}',
    ["network app: a.example.com !b.example.com"],
  ],
  [
    "a block of lines",
    "networks:\n  app: |\n    a.example.com\n    b.example.com:443\n",
    ["network app: a.example.com b.example.com:443"],
  ],
  [
    "lists of lists as text",
    'networks: {app: ["a.example.com b.example.com", "c.example.com"]}',
    ["network app: a.example.com b.example.com c.example.com"],
  ],
  ["`!` in quotes", "containers:\n  app: '!a.example.com'\n", ["container app: !a.example.com"]],
  ["an IPv6 address", "networks:\n  app: '[2001:db8::1]:443'\n", ["network app: [2001:db8::1]:443"]],
  ["an address without quotes", "networks:\n  app: 203.0.113.7\n", ["network app: 203.0.113.7"]],
  ["a name that is a number", "networks:\n  12: a.example.com\n", ["network 12: a.example.com"]],
  ["a byte order mark", "\ufeffnetworks: {app: a.example.com}", ["network app: a.example.com"]],
  [
    "a preset of its own in place of one that comes with us",
    "presets: {npm: npm.example.org}\nnetworks: {app: '@npm'}",
    ["@npm: npm.example.org", "network app: @npm"],
  ],
  [
    "a preset that is defined further down",
    "networks: {app: '@later'}\npresets: {later: a.example.org}",
    ["@later: a.example.org", "network app: @later"],
  ],
];

const refused: readonly [name: string, text: string, problems: readonly RegExp[]][] = [
  ["no map", "- a.example.com", [/^line 1: it must be a map of presets, networks, containers$/]],
  ["text", "a.example.com", [/^line 1: it must be a map/]],
  [
    "another section",
    "networks: {}\nnetwork: {app: a.example.com}",
    [/^line 2: "network" must be one of presets, networks, containers$/],
  ],
  [
    "a section that is a list",
    "networks: [a.example.com]",
    [/^line 1: networks must be a map of names to entries$/],
  ],
  ["a section that is text", "\npresets: '@debian'", [/^line 2: presets must be a map/]],
  [
    "an alias for a section",
    "networks: &x {app: a.example.com}\ncontainers: *x",
    [/^line 2: containers must be a map/],
  ],
  [
    "a number for entries",
    "networks: {app: 5}",
    [/^line 1: "app" must be entries as text, or a list of them/],
  ],
  ["a map for entries", "networks:\n  app: {a: b}", [/^line 2: "app" must be entries as text/]],
  [
    "a list in a list",
    "networks:\n  app:\n    - a.example.com\n    - [b.example.com]",
    [/^line 4: "app" must be entries/],
  ],
  ["a list as a name", "networks: {[a]: b.example.com}", [/^line 1: the name must be text$/]],
  ["an empty name", 'networks: {"": b.example.com}', [/^line 1: the name must be text$/]],
  [
    "a name twice",
    "networks:\n  app: a.example.com\n  app: b.example.com",
    [/^line 3: Map keys must be unique$/],
  ],
  ["a section twice", "networks: {}\nnetworks: {}", [/^line 2: Map keys must be unique$/]],
  ["YAML that is none", "networks: [", [/^line 1: /]],
  ["several documents", "networks: {}\n---\nnetworks: {}\n", [/^line 2: .*multiple documents/]],
  ["tabs for indentation", "networks:\n\tapp: a.example.com", [/^line 2: /]],
  [
    "`!` without quotes, which YAML takes for a tag",
    "containers:\n  app: !a.example.com\n",
    [/^line 2: Unresolved tag: !a\.example\.com; entries that begin with ! \* or @ need quotes$/],
  ],
  [
    "`!` without quotes in a list",
    "containers:\n  app: [b.example.com, !a.example.com]\n",
    [/^line 2: .*need quotes$/],
  ],
  [
    "`!` and a space",
    "containers:\n  app: ! a.example.com\n",
    [/^line 2: "app" must be entries as text.*need quotes$/],
  ],
  [
    "`*.` without quotes, which YAML takes for an alias",
    "networks:\n  app: *.example.com\n",
    [/^line 2: .*need quotes$/],
  ],
  ["`@` without quotes", "networks:\n  app: @debian\n", [/^line 2: .*need quotes$/]],
  [
    "a preset's name",
    "presets:\n  Mirror: a.example.com\n",
    [/^line 2: "Mirror" is not a preset name; use lower-case/],
  ],
  [
    "`!` in a preset",
    "presets:\n  mirror: '!a.example.com'\n",
    [/^line 2: preset @mirror, .*cannot take anything away/],
  ],
  [
    "a preset in a preset",
    "presets:\n  mirror: '@debian'\n",
    [/^line 2: preset @mirror, .*cannot name another preset/],
  ],
  [
    "a preset that there is not",
    "networks:\n  app: '@debain'\n",
    [/^line 2: networks "app": entry "@debain" at column 1: .*did you mean @debian\?$/],
  ],
  [
    "a comment in a block, which YAML takes for text",
    "networks:\n  app: |\n    a.example.com # why\n",
    [/entry "#" at column 15/, /entry "why" at column 17/],
  ],
  [
    "everything at once, each with its line",
    "presets:\n  m: x:0\nnetworks:\n  a: '*'\n  b: ok.example.com\ncontainers:\n  c: 'localhost a..b'\n  d: [1]\nmore: 1\n",
    [
      /^line 8: "d" must be/,
      /^line 9: "more"/,
      /^line 2: preset @m/,
      /^line 4: networks "a"/,
      /^line 7: containers "c": entry "localhost" at column 1/,
      /^line 7: .*"a\.\.b" at column 11/,
    ],
  ],
];

describe("parsePolicyFile", () => {
  for (const [name, text, read] of accepted) {
    it(`accepts ${name}`, () => {
      const result = parsePolicyFile(text, presets);
      assert.ok("file" in result, JSON.stringify(result));
      assert.deepEqual(textOf(result.file), read);
    });
  }
  for (const [name, text, problems] of refused) {
    it(`refuses ${name}`, () => {
      const result = parsePolicyFile(text, presets);
      assert.ok("problems" in result, JSON.stringify([...Object.entries(result)]));
      for (const [index, problem] of problems.entries()) assert.match(result.problems[index] ?? "", problem);
      assert.equal(result.problems.length, problems.length, JSON.stringify(result.problems));
    });
  }
  it("is the same object for nothing", () => {
    assert.deepEqual(parsePolicyFile("", presets), { file: noPolicyFile });
  });
  it("refuses what is too long, and what is nested too deep, without an exception", () => {
    const long = parsePolicyFile("#".repeat(4_194_305), presets);
    assert.ok("problems" in long);
    assert.match(long.problems[0] ?? "", /4194305 characters, but may have at most 4194304/);
    assert.ok("problems" in parsePolicyFile("[".repeat(20_000), presets));
    assert.ok("problems" in parsePolicyFile("{a: ".repeat(20_000), presets));
  });
});
