import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import {
  printable,
  printableSentence,
  renderAge,
  renderJson,
  renderLeft,
} from "../../../../src/cli/terminal/print.ts";
import { renderTable } from "../../../../src/cli/terminal/table.ts";

const texts: readonly (readonly [name: string, text: string, shown: string])[] = [
  ["a domain", "a_b-c.example.com", "a_b-c.example.com"],
  ["an escape sequence", "\x1b[31mred", "\\x1b[31mred"],
  ["a C1 control", "\u009b2J", "\\x9b2J"],
  ["line breaks", "a\r\nb\u2028c", "a\\x0d\\x0ab\\u{2028}c"],
  ["right-to-left override", "a\u202egro", "a\\u{202e}gro"],
  ["zero width space and joiner", "a\u200bb\u200d", "a\\u{200b}b\\u{200d}"],
  ["spaces that fake a column", "evil.example  3 ✅", "evil.example\\x20\\x203\\x20✅"],
  ["a backslash", "a\\x1b", "a\\\\x1b"],
  ["a lone surrogate", "a\ud800b", "a\\u{d800}b"],
  ["tag characters", "a\u{e0041}", "a\\u{e0041}"],
  ["letters of any script", "bücher.例え.рф", "bücher.例え.рф"],
];

for (const [name, text, shown] of texts) {
  test(`print: ${name}`, () => assert.equal(printable(text), shown));
}

test("print: nothing printable can move the cursor or hide", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      for (const shown of [
        printable(text),
        printableSentence(text),
        renderJson({ [text]: text }).replaceAll("\n", ""),
      ]) {
        assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        assert.equal(stripVTControlCharacters(shown), shown);
      }
    }),
  );
});

test("print: JSON stays what it was", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(JSON.parse(renderJson(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
});

const ages: readonly (readonly [spanMs: number, text: string])[] = [
  [-5000, "0s ago"],
  [0, "0s ago"],
  [59_999, "59s ago"],
  [60_000, "1m ago"],
  [3_599_999, "59m ago"],
  [3_600_000, "1h ago"],
  [86_400_000, "1d ago"],
  [864_000_000, "10d ago"],
];

for (const [spanMs, text] of ages) {
  test(`print: ${spanMs} ms is ${text}`, () => assert.equal(renderAge(1_000_000, 1_000_000 + spanMs), text));
}

const widths: readonly (readonly [text: string, width: number])[] = [
  ["", 0],
  ["abc", 3],
  ["bücher", 6],
  ["u\u0308", 1],
  ["例え", 4],
  ["한국", 4],
  ["ｆｕｌｌ", 8],
  ["3 ✅", 4],
  ["❌", 2],
  ["🧱", 2],
  ["→", 1],
];

for (const [text, width] of widths) {
  test(`table: ${JSON.stringify(text)} takes ${width} cells`, () => {
    const columns = [{ align: "left" }, { align: "left" }] as const;
    const [line] = renderTable(columns, [
      [text, "x"],
      ["0123456789", "x"],
    ]).split("\n");
    assert.equal(line, `${text}${" ".repeat(10 - width)}  x`);
  });
}

test("table: columns are as wide as their widest cell, and nothing trails", () => {
  const table = renderTable(
    [{ align: "left" }, { align: "right" }, { align: "left" }],
    [
      ["a", "10 ✅", "x"],
      ["例え", "1 ❌", ""],
    ],
    "  ",
  );
  assert.equal(table, ["  a     10 ✅  x", "  例え   1 ❌", ""].join("\n"));
});

test("table: no rows are no lines, many rows are no trouble", () => {
  assert.equal(renderTable([{ align: "left" }], []), "");
  const rows = Array.from({ length: 200_000 }, () => ["x"]);
  assert.equal(renderTable([{ align: "left" }], rows).length, 400_000);
});

test("print: what is left of a span is what was asked for, a moment later", () => {
  const spans = [
    0, 900, 1_000, 59_400, 59_600, 899_000, 3_599_200, 3_600_000, 5_300_000, 5_500_000, 86_399_000,
  ];
  assert.deepEqual(spans.map(renderLeft), [
    "0s",
    "1s",
    "1s",
    "59s",
    "1m",
    "15m",
    "1h",
    "1h",
    "1h",
    "2h",
    "1d",
  ]);
});
