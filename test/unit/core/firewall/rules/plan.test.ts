import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { planChunks } from "../../../../../src/core/firewall/chunks.ts";
import type { Match } from "../../../../../src/core/firewall/rules/match.ts";
import { parseSave } from "../../../../../src/core/firewall/rules/observed.ts";
import { planRules } from "../../../../../src/core/firewall/rules/plan.ts";
import type { Table } from "../../../../../src/core/firewall/rules/table.ts";
import { drop, returnIt } from "../../../../../src/core/firewall/rules/target.ts";
import { chunkSize } from "../../../../../src/core/firewall/sets.ts";
import type { ReadRule } from "../../../../../src/edge/kernel/nftables/read.ts";
import { observeByBytes, type RuleBytes } from "../../../../../src/edge/kernel/nftables/rule-bytes.ts";

const desired: readonly Table[] = [
  {
    name: "mangle",
    jumps: [{ hook: "FORWARD", chain: "DOCKERWALL-FORWARD" }],
    chains: [
      {
        name: "DOCKERWALL-FORWARD",
        rules: [
          { match: [{ kind: "in-interface", name: "br-+" }], target: drop },
          { match: [], target: returnIt },
        ],
      },
    ],
  },
];

const inPlace = [
  "*mangle",
  ":FORWARD ACCEPT [0:0]",
  ":DOCKERWALL-FORWARD - [0:0]",
  "-A FORWARD -j DOCKERWALL-FORWARD",
  "-A FORWARD -j OTHERS",
  "-A DOCKERWALL-FORWARD -i br-+ -j DROP",
  "-A DOCKERWALL-FORWARD -j RETURN",
  "COMMIT",
].join("\n");

const jump = "-A FORWARD -j DOCKERWALL-FORWARD";
const rule = "-A DOCKERWALL-FORWARD -i br-+ -j DROP";

describe("planRules", () => {
  const cases: readonly [name: string, observed: string, plan: string][] = [
    ["nothing to do", inPlace, ""],
    [
      "an empty table",
      "*mangle\n:FORWARD ACCEPT [0:0]\nCOMMIT",
      "*mangle\n:DOCKERWALL-FORWARD - [0:0]\n-A DOCKERWALL-FORWARD -i br-+ -j DROP\n-A DOCKERWALL-FORWARD -j RETURN\n-I FORWARD 1 -j DOCKERWALL-FORWARD\nCOMMIT\n",
    ],
    [
      "a table that is not there yet",
      "",
      "*mangle\n:DOCKERWALL-FORWARD - [0:0]\n-A DOCKERWALL-FORWARD -i br-+ -j DROP\n-A DOCKERWALL-FORWARD -j RETURN\n-I FORWARD 1 -j DOCKERWALL-FORWARD\nCOMMIT\n",
    ],
    [
      "other software put a rule before ours",
      inPlace.replace(jump, `-A FORWARD -j ACCEPT\n${jump}`),
      "*mangle\n-D FORWARD -j DOCKERWALL-FORWARD\n-I FORWARD 1 -j DOCKERWALL-FORWARD\nCOMMIT\n",
    ],
    [
      "our jump was deleted",
      inPlace.replace(`${jump}\n`, ""),
      "*mangle\n-I FORWARD 1 -j DOCKERWALL-FORWARD\nCOMMIT\n",
    ],
    [
      "our jump stands twice",
      inPlace.replace(jump, `${jump}\n${jump}`),
      "*mangle\n-D FORWARD -j DOCKERWALL-FORWARD\n-D FORWARD -j DOCKERWALL-FORWARD\n-I FORWARD 1 -j DOCKERWALL-FORWARD\nCOMMIT\n",
    ],
    [
      "a rule of ours was deleted",
      inPlace.replace(`${rule}\n`, ""),
      "*mangle\n:DOCKERWALL-FORWARD - [0:0]\n-A DOCKERWALL-FORWARD -i br-+ -j DROP\n-A DOCKERWALL-FORWARD -j RETURN\nCOMMIT\n",
    ],
    [
      "a chain of an older version",
      inPlace.replace(":DOCKERWALL-FORWARD", ":DOCKERWALL-OLD - [0:0]\n:DOCKERWALL-FORWARD"),
      "*mangle\n:DOCKERWALL-OLD - [0:0]\n-X DOCKERWALL-OLD\nCOMMIT\n",
    ],
  ];
  for (const [name, observed, plan] of cases) {
    it(name, () => assert.equal(planRules(desired, parseSave(observed)), plan));
  }

  describe("a chain that is spared", () => {
    const held = inPlace.replace(
      ":DOCKERWALL-FORWARD - [0:0]\n",
      ":DOCKERWALL-FORWARD - [0:0]\n:DOCKERWALL-ENGINE - [0:0]\n-A FORWARD -j DOCKERWALL-ENGINE\n-A DOCKERWALL-ENGINE -j DROP\n",
    );
    const sparing = desired.map((table) => ({ ...table, spared: ["DOCKERWALL-ENGINE"] as const }));

    it("is left alone with its jump, though that stands before ours", () => {
      assert.equal(planRules(sparing, parseSave(held)), "");
    });

    it("keeps nothing else from being put right", () => {
      assert.equal(
        planRules(sparing, parseSave(held.replace(`${jump}\n`, ""))),
        "*mangle\n-D FORWARD -j DOCKERWALL-ENGINE\n-I FORWARD 1 -j DOCKERWALL-FORWARD\n-I FORWARD 1 -j DOCKERWALL-ENGINE\nCOMMIT\n",
      );
    });

    it("is led to before ours, where a queue that is passed by would end the walk", () => {
      const behind = held
        .replace("-A FORWARD -j DOCKERWALL-ENGINE\n", "")
        .replace(jump, `${jump}\n-A FORWARD -j DOCKERWALL-ENGINE`);
      assert.equal(
        planRules(sparing, parseSave(behind)),
        "*mangle\n-D FORWARD -j DOCKERWALL-FORWARD\n-D FORWARD -j DOCKERWALL-ENGINE\n-I FORWARD 1 -j DOCKERWALL-FORWARD\n-I FORWARD 1 -j DOCKERWALL-ENGINE\nCOMMIT\n",
      );
    });

    it("goes when it is spared no more", () => {
      assert.equal(
        planRules(desired, parseSave(held)),
        "*mangle\n:DOCKERWALL-ENGINE - [0:0]\n-D FORWARD -j DOCKERWALL-ENGINE\n-D FORWARD -j DOCKERWALL-FORWARD\n-I FORWARD 1 -j DOCKERWALL-FORWARD\n-X DOCKERWALL-ENGINE\nCOMMIT\n",
      );
    });
  });

  it("removes everything of ours and nothing else", () => {
    const plan = planRules([], parseSave(inPlace));
    assert.equal(
      plan,
      "*mangle\n:DOCKERWALL-FORWARD - [0:0]\n-D FORWARD -j DOCKERWALL-FORWARD\n-X DOCKERWALL-FORWARD\nCOMMIT\n",
    );
  });
});

describe("a jump that another one stands in for", () => {
  const filter: readonly Table[] = [
    {
      name: "filter",
      jumps: [
        { hook: "DOCKER-USER", chain: "DOCKERWALL-REJECT", optional: true },
        { hook: "FORWARD", chain: "DOCKERWALL-REJECT", unless: "DOCKER-USER" },
      ],
      chains: [{ name: "DOCKERWALL-REJECT", rules: [{ match: [], target: returnIt }] }],
    },
  ];
  const save = (user: readonly string[] | undefined, forward: readonly string[]): string =>
    [
      "*filter",
      ":FORWARD ACCEPT [0:0]",
      ...(user === undefined ? [] : [":DOCKER-USER - [0:0]"]),
      ":DOCKERWALL-REJECT - [0:0]",
      ...forward.map((body) => `-A FORWARD ${body}`),
      ...(user ?? []).map((body) => `-A DOCKER-USER ${body}`),
      "-A DOCKERWALL-REJECT -j RETURN",
      "COMMIT",
    ].join("\n");
  const ours = "-j DOCKERWALL-REJECT";
  const cases: readonly [name: string, observed: string, plan: readonly string[]][] = [
    ["is not put in", save([ours], ["-j DOCKER-USER"]), []],
    ["is not put in, though others come first", save([ours], ["-j ACCEPT", "-j DOCKER-USER"]), []],
    ["is taken out", save([ours], ["-j DOCKER-USER", ours]), [`-D FORWARD ${ours}`]],
    [
      "is taken out once the other one can be put in",
      save([], ["-j DOCKER-USER", ours]),
      [`-D FORWARD ${ours}`, `-I DOCKER-USER 1 ${ours}`],
    ],
    ["is put in where there is no such chain", save(undefined, []), [`-I FORWARD 1 ${ours}`]],
    ["is left where there is no such chain", save(undefined, [ours]), []],
    ["is put in where nothing leads there", save([ours], ["-j OTHERS"]), [`-I FORWARD 1 ${ours}`]],
    [
      "is put in where not every packet is led there",
      save([ours], ["-i docker0 -j DOCKER-USER"]),
      [`-I FORWARD 1 ${ours}`],
    ],
  ];
  for (const [name, observed, lines] of cases) {
    const plan = lines.length === 0 ? "" : ["*filter", ...lines, "COMMIT", ""].join("\n");
    it(name, () => assert.equal(planRules(filter, parseSave(observed)), plan));
  }

  const user = { identity: "u", jump: "DOCKER-USER", bare: true };
  const mine = { identity: "m", jump: "DOCKERWALL-REJECT", bare: true };
  const inside = { identity: "r", jump: undefined, bare: true };
  const reading = (there: readonly ReadRule[], forward: readonly ReadRule[]): RuleBytes => ({
    tables: new Map([["filter", 1n]]),
    rules: new Map([
      ["filter DOCKERWALL-REJECT", [inside]],
      ["filter DOCKER-USER", there],
      ["filter FORWARD", forward],
    ]),
  });
  const known = { bytes: reading([mine], [user]), observed: parseSave(save([ours], ["-j DOCKER-USER"])) };
  const seen: readonly [name: string, now: RuleBytes, plan: string][] = [
    ["is not put in, by the bytes of the rules", reading([mine], [user]), ""],
    [
      "is not put in, but the other one, where it was flushed",
      reading([], [user]),
      `*filter\n-I DOCKER-USER 1 ${ours}\nCOMMIT\n`,
    ],
    ["is put in, by the bytes of the rules", reading([], []), `*filter\n-I FORWARD 1 ${ours}\nCOMMIT\n`],
    [
      "is put in where not every packet is led there, by the bytes of the rules",
      reading([mine], [{ ...user, bare: false }]),
      `*filter\n-I FORWARD 1 ${ours}\nCOMMIT\n`,
    ],
  ];
  for (const [name, now, plan] of seen)
    it(name, () =>
      assert.equal(planRules(filter, observeByBytes(filter, known, now) ?? assert.fail()), plan),
    );
});

describe("rules that are seen by their bytes", () => {
  const marked = inPlace.replace(
    "COMMIT",
    ":DOCKERWALL-MADE - [0:0]\n-A DOCKERWALL-MADE -m comment --comment made-table -j RETURN\nCOMMIT",
  );
  const jumps = { identity: "j", jump: "DOCKERWALL-FORWARD", bare: true };
  const other = { identity: "o", jump: "OTHERS", bare: true };
  const own = (identity: string) => ({ identity, jump: undefined, bare: false });
  const reading = (changes: Readonly<Record<string, readonly ReadRule[]>> = {}): RuleBytes => ({
    tables: new Map([["mangle", 1n]]),
    rules: new Map([
      ["mangle FORWARD", [jumps, other]],
      ["mangle DOCKERWALL-FORWARD", [own("1"), own("2")]],
      ["mangle DOCKERWALL-MADE", [own("3")]],
      ...Object.entries(changes).map(([chain, rules]) => [`mangle ${chain}`, rules] as const),
    ]),
  });
  const known = { bytes: reading(), observed: parseSave(marked) };
  const made = new Map([["mangle", ["table"]]]);
  const chain =
    "*mangle\n:DOCKERWALL-FORWARD - [0:0]\n-A DOCKERWALL-FORWARD -i br-+ -j DROP\n-A DOCKERWALL-FORWARD -j RETURN\nCOMMIT\n";
  const marks =
    "*mangle\n:DOCKERWALL-MADE - [0:0]\n-A DOCKERWALL-MADE -m comment --comment made-table -j RETURN\nCOMMIT\n";
  const cases: readonly [name: string, now: RuleBytes, plan: string][] = [
    ["nothing to do", reading(), ""],
    ["a rule of ours is another", reading({ "DOCKERWALL-FORWARD": [own("1"), own("9")] }), chain],
    ["our chain is empty", reading({ "DOCKERWALL-FORWARD": [] }), chain],
    ["what is remembered has changed", reading({ "DOCKERWALL-MADE": [own("9"), own("3")] }), marks],
    [
      "other software put a rule before ours",
      reading({ FORWARD: [other, jumps] }),
      "*mangle\n-D FORWARD -j DOCKERWALL-FORWARD\n-I FORWARD 1 -j DOCKERWALL-FORWARD\nCOMMIT\n",
    ],
  ];
  for (const [name, now, plan] of cases)
    it(name, () =>
      assert.equal(planRules(desired, observeByBytes(desired, known, now) ?? assert.fail(), made), plan),
    );

  const conditional = { identity: "c", jump: "DOCKERWALL-FORWARD", bare: false };

  it("a jump with a condition is for iptables-save to tell", () => {
    assert.equal(observeByBytes(desired, known, reading({ FORWARD: [conditional, jumps] })), undefined);
  });

  it("a jump with a condition that was there when it was known is known, wherever it stands by now", () => {
    const body = "-i br-+ -j DOCKERWALL-FORWARD";
    const match: readonly Match[] = [{ kind: "in-interface", name: "br-+" }];
    const some = desired.map((table) => ({
      ...table,
      jumps: table.jumps.map((jump) => ({ ...jump, match })),
    }));
    const before = {
      bytes: reading({ FORWARD: [conditional, other] }),
      observed: parseSave(marked.replace("-A FORWARD -j DOCKERWALL-FORWARD", `-A FORWARD ${body}`)),
    };
    const planOf = (...forward: ReadRule[]): string =>
      planRules(some, observeByBytes(some, before, reading({ FORWARD: forward })) ?? assert.fail(), made);
    assert.equal(planOf(conditional, other), "");
    assert.equal(planOf(other, conditional), `*mangle\n-D FORWARD ${body}\n-I FORWARD 1 ${body}\nCOMMIT\n`);
    assert.equal(planOf(other), `*mangle\n-I FORWARD 1 ${body}\nCOMMIT\n`);
    assert.equal(
      planOf(jumps, other),
      `*mangle\n-D FORWARD -j DOCKERWALL-FORWARD\n-I FORWARD 1 ${body}\nCOMMIT\n`,
    );
  });
});

describe("planChunks", () => {
  it("never moves a name that stays, and fills no chunk beyond its size", () => {
    const names = fc.uniqueArray(
      fc.integer({ min: 0, max: 999 }).map((n) => `br-${n}`),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(names, names, (first, second) => {
        let chunks = apply(new Map(), first);
        const before = new Map(
          [...chunks].flatMap(([chunk, bridges]) => bridges.map((bridge) => [bridge, chunk] as const)),
        );
        chunks = apply(chunks, second);
        const after = [...chunks].flatMap(([chunk, bridges]) =>
          bridges.map((bridge) => [bridge, chunk] as const),
        );
        assert.deepEqual(new Set(after.map(([bridge]) => bridge)), new Set(second));
        assert.equal(after.length, second.length);
        for (const [bridge, chunk] of after) assert.equal(chunk, before.get(bridge) ?? chunk);
      }),
    );
  });
});

/** What the kernel would hold after the plan; fails where it would refuse. */
function apply(
  observed: ReadonlyMap<number, readonly string[]>,
  wanted: readonly string[],
): Map<number, string[]> {
  const plan = planChunks(wanted, observed);
  const chunks = new Map<number, string[]>([...observed].map(([index, bridges]) => [index, [...bridges]]));
  for (const index of plan.create) chunks.set(index, []);
  for (const { chunk, bridge } of plan.add) {
    chunks.get(chunk)?.push(bridge);
    assert.ok((chunks.get(chunk)?.length ?? chunkSize + 1) <= chunkSize);
  }
  for (const { chunk, bridge } of plan.remove) {
    chunks.set(chunk, chunks.get(chunk)?.filter((other) => other !== bridge) ?? []);
  }
  return chunks;
}
