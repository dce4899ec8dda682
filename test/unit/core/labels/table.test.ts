// What labels say beside an allowlist: every accepted form, and for every bad one the strict value and one
// sentence with its place.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderUpstream } from "../../../../src/core/dns/upstream-text.ts";
import { type ReadLabels, readLabels } from "../../../../src/core/labels/read.ts";
import { shownLabels } from "../../../../src/core/labels/shown.ts";
import { labelPlaces, type ValueLabel, valueLabels } from "../../../../src/core/labels/table.ts";

type Written = Readonly<Record<string, string>>;

/** Labels by what follows `dockerwall.` in their names. */
const readOf = (written: Written): ReadLabels<"network"> =>
  readLabels("network", {
    name: "web",
    labels: Object.fromEntries(Object.entries(written).map(([key, text]) => [`dockerwall.${key}`, text])),
  });

/** As text, upstreams as they can be written. */
function said(written: Written): string {
  const { mode, deny, upstream, types } = readOf(written).labels;
  return [mode, deny, upstream?.map(renderUpstream).join(" ") ?? "the daemon's", types.join(" ")].join("; ");
}

const accepted: readonly [written: Written, said: string][] = [
  [{}, "enforce; drop; the daemon's; "],
  [{ allow: "www.example.com" }, "enforce; drop; the daemon's; "],
  [{ mode: "enforce", deny: "drop" }, "enforce; drop; the daemon's; "],
  [{ mode: "audit" }, "audit; drop; the daemon's; "],
  [{ deny: "reject" }, "enforce; reject; the daemon's; "],
  [{ mode: " audit\n", deny: " reject " }, "audit; reject; the daemon's; "],
  [{ upstream: "192.0.2.1" }, "enforce; drop; 192.0.2.1 port 53; "],
  [
    { upstream: " 192.0.2.1,\n tls://192.0.2.2#dns.example.org " },
    "enforce; drop; 192.0.2.1 port 53 tls://192.0.2.2:853#dns.example.org; ",
  ],
  [{ types: "TXT" }, "enforce; drop; the daemon's; 16"],
  [{ types: "txt, naptr TYPE65280\nsshfp" }, "enforce; drop; the daemon's; 16 35 65280 44"],
];

const eight = Array.from({ length: 8 }, (_, index) => `192.0.2.${index}`);

const refused: readonly [written: Written, said: string, ...problems: RegExp[]][] = [
  [
    { mode: "", deny: "" },
    "enforce; drop; the daemon's; ",
    /label dockerwall\.mode: it is "", but must be enforce or audit; enforce is in force$/,
    /label dockerwall\.deny: it is ""/,
  ],
  [{ mode: "Audit" }, "enforce; drop; the daemon's; ", /it is "Audit", but must be enforce or audit/],
  [
    { mode: "off" },
    "enforce; drop; the daemon's; ",
    /^network "web", label dockerwall\.mode: it is "off", but must be/,
  ],
  [
    { mode: "audit", deny: "REJECT" },
    "audit; drop; the daemon's; ",
    /it is "REJECT", but must be drop or reject; drop is in force$/,
  ],
  [
    { mode: "audit,enforce", deny: "x".repeat(200) },
    "enforce; drop; the daemon's; ",
    /"audit,enforce"/,
    /it is "x{80}", but/,
  ],
  [{ mode: "au\u0000dit" }, "enforce; drop; the daemon's; ", /it is "au\\u0000dit"/],
  [
    { upstream: "192.0.2.1 dns.example.org" },
    "enforce; drop; ; ",
    /^network "web", label dockerwall.upstream: entry "dns.example.org" at column 11: it is not ADDRESS, .*; no lookup leaves/,
  ],
  [
    { upstream: "" },
    "enforce; drop; ; ",
    /dockerwall.upstream: it is empty; give ADDRESS, .*, as in 192.0.2.1, or remove the label; no lookup leaves/,
  ],
  [
    { upstream: [...eight, "192.0.2.9"].join() },
    `enforce; drop; ${eight.map((address) => `${address} port 53`).join(" ")}; `,
    /names 9 resolvers; only the first 8 are asked$/,
  ],
  ...["TXTT", "ANY", "AXFR", "OPT", "TSIG", "TYPE0", "TYPE255", "TYPE65535", "TYPE99999", "16"].map(
    (type): [Written, string, RegExp] => [
      { types: `TXT ${type}` },
      "enforce; drop; the daemon's; ",
      new RegExp(`label dockerwall.types: entry "${type}" at column 5: .* only the default types`),
    ],
  ),
];

describe("readLabels", () => {
  for (const [written, expected] of accepted)
    it(`reads ${JSON.stringify(written)}`, () => {
      assert.equal(said(written), expected);
      assert.deepEqual(readOf(written).problems, []);
    });
  for (const [written, expected, ...problems] of refused)
    it(`refuses ${JSON.stringify(written).slice(0, 80)}`, () => {
      const read = readOf(written);
      assert.equal(said(written), expected);
      assert.equal(read.problems.length, problems.length, read.problems.join("\n"));
      for (const [index, problem] of problems.entries()) assert.match(read.problems[index] ?? "", problem);
    });

  it("tells no more than 100 problems of one label", () => {
    const { labels, problems } = readOf({ types: "wrong ".repeat(5000) });
    assert.deepEqual([labels.types, problems.length], [[], 100]);
  });
});

describe("readLabels of a container", () => {
  const readAccepted = (accept: string) =>
    readLabels("container", {
      name: "web",
      labels: { "dockerwall.accept": accept, "dockerwall.mode": "audit" },
    });
  it("reads what has an effect there, and nothing else", () => {
    const read = readAccepted("dns, docker-socket\nprivileged");
    assert.deepEqual(read, { labels: { accept: ["dns", "docker-socket", "privileged"] }, problems: [] });
  });
  it("takes the strict value for a bad one, and says so", () => {
    const { labels, problems } = readAccepted("dns docker-sock");
    assert.deepEqual(labels, { accept: [] });
    assert.equal(problems.length, 1);
    assert.match(
      problems[0] ?? "",
      /^container "web", label dockerwall.accept: entry "docker-sock" at column 5: it is not one of second-network, .*; the warnings stay$/,
    );
  });
  it("says what could be written where nothing is", () => {
    assert.match(
      readAccepted("").problems.join(),
      /: it is empty; give one of .*, as in docker-socket second-network, or/,
    );
  });
});

describe("the table of labels", () => {
  for (const place of labelPlaces)
    for (const [key, row] of Object.entries<ValueLabel<unknown>>(valueLabels[place])) {
      const { parse, absent, strict, example } = row;
      it(`${key} of a ${place}: what is strict is never more than what is so without the label`, () => {
        assert.ok("problems" in parse("\u0000"));
        if (absent !== undefined) assert.deepEqual(strict, absent);
      });
      it(`${key} of a ${place}: the example says something else than its absence`, () => {
        const parsed = parse(example);
        assert.ok("value" in parsed);
        assert.notDeepEqual(parsed.value, absent);
      });
    }
});

describe("what labels say, for people", () => {
  const shown: readonly [written: Written, ...phrases: string[]][] = [
    [{ allow: "www.example.com", mode: "audit", deny: "drop" }],
    [{ deny: "reject" }, "a denied connection fails at once"],
    [
      { types: "TXT TYPE44 TYPE65280", upstream: "192.0.2.1 tls://192.0.2.2#dns.example.org" },
      "asks 192.0.2.1 port 53, tls://192.0.2.2:853#dns.example.org",
      "also serves TXT, SSHFP, TYPE65280",
    ],
    [{ upstream: "dns.example.org" }, "no resolver is asked"],
    [{ accept: "audit, overlap" }, "accepts the warnings audit, overlap"],
  ];
  for (const [written, ...phrases] of shown)
    it(JSON.stringify(written), () => assert.deepEqual(shownLabels(readOf(written).labels), phrases));
});
