// Rules as values: what is printed of each kind, what is refused, and what holds for the whole ruleset.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  fromInterface,
  hasMark,
  inState,
  isAnswer,
  type Match,
  toPort,
} from "../../../../../src/core/firewall/rules/match.ts";
import type { TableName } from "../../../../../src/core/firewall/rules/parts.ts";
import { renderRule } from "../../../../../src/core/firewall/rules/render.ts";
import { type Rule, rule } from "../../../../../src/core/firewall/rules/table.ts";
import {
  clearMark,
  drop,
  goTo,
  noTrack,
  returnIt,
  setMark,
  type Target,
} from "../../../../../src/core/firewall/rules/target.ts";
import { desiredRules } from "../../../../../src/core/firewall/ruleset.ts";
import { setSpecs } from "../../../../../src/core/firewall/sets.ts";

const mark = (value: number, mask: number): Match => ({ kind: "mark", mark: { value, mask } });
const stamp = (value: number, mask: number): Match => ({ kind: "connmark", mark: { value, mask } });
const tcp: Match = { kind: "protocol", protocol: "tcp" };
const notRedirected: Match = { kind: "conntrack", states: ["DNAT"], not: true };
const reset: Target = { kind: "reject", with: "tcp-reset" };
const redirect: Target = { kind: "redirect", port: 5053 };

describe("renderRule", () => {
  const cases: readonly [rule: Rule, text: string, table?: TableName][] = [
    [{ match: [], target: returnIt }, "-j RETURN"],
    [rule("denied", [], drop), "-m comment --comment denied -j DROP"],
    [rule("a,b", [], drop), '-m comment --comment "a,b" -j DROP'],
    [
      // Where it comes from and of which protocol it is are printed first, wherever they are said.
      rule(
        "x y",
        [hasMark(0x4000_0000), tcp, fromInterface("br-+"), { kind: "source", prefix: "::/128" }],
        drop,
      ),
      '-s ::/128 -i br-+ -p tcp -m mark --mark 0x40000000/0x40000000 -m comment --comment "x y" -j DROP',
    ],
    [
      rule("z", [{ kind: "in-interface", name: "lo", not: true }, toPort("udp", 53), notRedirected], drop),
      "! -i lo -p udp -m udp --dport 53 -m conntrack ! --ctstate DNAT -m comment --comment z -j DROP",
    ],
    [
      rule("z", [inState("ESTABLISHED", "INVALID", "NEW"), isAnswer], goTo("DOCKERWALL-DENY")),
      "-m conntrack --ctstate INVALID,NEW,ESTABLISHED -m conntrack --ctstate ESTABLISHED --ctdir REPLY -m comment --comment z -g DOCKERWALL-DENY",
    ],
    [rule("z", [], setMark(0x2000_0000)), "-m comment --comment z -j MARK --set-xmark 0x20000000/0x20000000"],
    [rule("z", [], clearMark(0x2000_0000)), "-m comment --comment z -j MARK --set-xmark 0x0/0x20000000"],
    [
      rule("z", [], { kind: "clear-whole-mark" }),
      "-m comment --comment z -j MARK --set-xmark 0x0/0xffffffff",
    ],
    [
      rule("z", [{ kind: "mark", mark: { value: 0, mask: 0xc000_0000 }, not: true }], drop),
      "-m mark ! --mark 0x0/0xc0000000 -m comment --comment z -j DROP",
    ],
    [
      rule("z", [hasMark(0x8000_0000)], drop),
      "-m mark --mark 0x80000000/0x80000000 -m comment --comment z -j DROP",
    ],
    [rule("z", [], noTrack), "-m comment --comment z -j CT --notrack", "raw"],
    [
      rule("z", [toPort("udp", 53), { kind: "cgroup", path: "system.slice/docker@a:b.service" }], drop),
      "-p udp -m udp --dport 53 -m cgroup --path system.slice/docker@a:b.service -m comment --comment z -j DROP",
      "security",
    ],
    [rule("z", [tcp], reset), "-p tcp -m comment --comment z -j REJECT --reject-with tcp-reset", "filter"],
    [
      rule("z", [toPort("tcp", 53)], redirect),
      "-p tcp -m tcp --dport 53 -m comment --comment z -j REDIRECT --to-ports 5053",
      "nat",
    ],
  ];
  for (const [value, text, table] of cases)
    it(text, () => assert.equal(renderRule(value, table ?? "mangle"), text));

  const refused: readonly [what: string, rule: Rule, table?: TableName][] = [
    ["a mark outside of its mask", rule("z", [mark(0x6000_0000, 0x2000_0000)], drop)],
    ["a written mark outside of its mask", rule("z", [], marking(0x6000_0000, 0x2000_0000))],
    ["a mark of no bits", rule("z", [mark(0, 0)], drop)],
    ["a mark of other software", rule("z", [mark(1, 1)], drop)],
    ["a written mark of other software", rule("z", [], marking(0, 0xffff_ffff))],
    ["a stamp of other software", rule("z", [stamp(1, 0xff)], drop)],
    ["a comment with a quote", rule('a "b"', [], drop)],
    ["a comment with a newline", rule("a\nCOMMIT", [], drop)],
    ["an empty comment", rule("", [], drop)],
    ["a comment of 256 bytes", rule("a".repeat(256), [], drop)],
    ["two protocols", rule("z", [tcp, toPort("udp", 53)], drop)],
    ["a type of ICMP in TCP", rule("z", [tcp, { kind: "icmpv6-type", type: 135 }], drop)],
    ["two interfaces", rule("z", [fromInterface("br-a"), fromInterface("br-b")], drop)],
    ["an interface with a blank", rule("z", [fromInterface("br a")], drop)],
    ["a prefix with bits of a host", rule("z", [{ kind: "source", prefix: "192.0.2.1/24" }], drop)],
    ["no port", rule("z", [toPort("tcp", 0)], drop)],
    ["a queue beyond the last", rule("z", [], { kind: "queue", number: 65_536 })],
    ["a cgroup with a quote", rule("z", [{ kind: "cgroup", path: "a'b" }], drop)],
    ["a reset of what is not TCP", rule("z", [], reset), "filter"],
    ["CT in mangle", rule("z", [], noTrack)],
    ["REJECT in mangle", rule("z", [tcp], reset)],
    ["REDIRECT in filter", rule("z", [toPort("tcp", 53)], redirect), "filter"],
    ["DROP in nat", rule("z", [], drop), "nat"],
    ["REDIRECT of every protocol", rule("z", [], redirect), "nat"],
  ];
  for (const [what, value, table] of refused)
    it(`refuses ${what}`, () =>
      assert.throws(() => renderRule(value, table ?? "mangle"), /^Error: no rule of ours/));
});

function marking(value: number, mask: number): Target {
  return { kind: "set-mark", mark: { value, mask } };
}

const inputs = ([4, 6] as const).flatMap((family) =>
  [true, false].flatMap((hold) =>
    [true, false].map((demandSender) => ({ family, hold, demandSender, dnsPort: 5053, queueNumber: 5353 })),
  ),
);

describe("the ruleset", () => {
  it("can be rendered, whatever the options", () => {
    for (const { name, chains } of inputs.flatMap(desiredRules))
      for (const each of chains.flatMap(({ rules }) => rules)) assert.ok(renderRule(each, name));
  });

  it("goes to chains of its table only, and to every one but the first of a hook", () => {
    for (const { chains, jumps } of inputs.flatMap(desiredRules)) {
      const reached = [
        ...jumps.map(({ chain }) => chain),
        ...chains.flatMap(({ rules }) =>
          rules.flatMap(({ target }) => ("chain" in target ? target.chain : [])),
        ),
      ];
      assert.deepEqual([...new Set(reached)].toSorted(), chains.map(({ name }) => name).toSorted());
    }
  });

  // The kernel takes too few without a word, and then the rule never matches.
  it("compares as many parts as the entries of a set have", () => {
    const specs = setSpecs();
    const used = inputs
      .flatMap(desiredRules)
      .flatMap(({ chains }) =>
        chains.flatMap(({ rules }) =>
          rules.flatMap(({ match, target }) =>
            [...match, target].flatMap((each) => ("set" in each ? each : [])),
          ),
        ),
      );
    assert.ok(used.length > 100);
    for (const { set, by } of used) {
      const type = specs.find(({ name }) => name === set)?.type ?? assert.fail(`${set} is not made`);
      // Lists are of hash:net,iface.
      const parts = type === "list:set" ? 2 : type.split(",").length;
      assert.equal(by.split(",").length, parts, `${set} ${by}`);
    }
  });

  it("has a comment for each rule", () => {
    const rules = inputs
      .flatMap(desiredRules)
      .flatMap(({ chains }) => chains.flatMap((chain) => chain.rules));
    assert.deepEqual(
      rules.filter(({ comment }) => comment === undefined),
      [],
    );
  });
});
