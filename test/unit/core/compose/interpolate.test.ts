// Variables are filled in as Compose does it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { interpolate } from "../../../../src/core/compose/interpolate.ts";

const variables: Readonly<Record<string, string>> = { SET: "value", EMPTY: "", _x1: "low", DOLLAR: "${SET}" };
const lookup = (name: string): string | undefined => variables[name];

const filled: readonly [template: string, text: string][] = [
  ["plain", "plain"],
  ["$SET/${SET}", "value/value"],
  ["$SETTING-${_x1}.", "-low."],
  ["${MISSING}", ""],
  ["${SET:-other} ${EMPTY:-other} ${MISSING:-other}", "value other other"],
  ["${SET-other} ${EMPTY-other} ${MISSING-other}", "value  other"],
  ["${SET:+other} ${EMPTY:+other} ${MISSING:+other}", "other  "],
  ["${SET+other} ${EMPTY+other} ${MISSING+other}", "other other "],
  ["${SET:?no} ${SET?no} ${EMPTY?no}", "value value "],
  ["${MISSING:-${EMPTY:-${SET}}}", "value"],
  ["${MISSING:-a b:443,*.c}", "a b:443,*.c"],
  ["${MISSING:-$$SET}", "$SET"],
  ["${MISSING:-}", ""],
  ["$$SET $$$SET $${SET}", "$SET $value ${SET}"],
  ["$DOLLAR", "${SET}"],
  ["a}b", "a}b"],
];

const refused: readonly [template: string, problem: RegExp][] = [
  ["${MISSING:?set it}", /^the variable MISSING must be set: set it$/],
  ["${EMPTY:?}", /^the variable EMPTY must be set$/],
  ["${MISSING?see ${SET}}", /must be set: see value$/],
  ["$", /is no variable; write \$\{NAME\}, or \$\$ for a \$$/],
  ["$1", /is no variable/],
  ["${}", /is no variable/],
  ["${SET", /is no variable/],
  ["${SET:-${X}", /is no variable/],
  ["${SET other}", /is no variable/],
  ["a ${1X}", /is no variable/],
];

describe("interpolate", () => {
  for (const [template, text] of filled)
    it(`makes ${JSON.stringify(text)} of ${template}`, () => {
      const result = interpolate(template, lookup);
      assert.deepEqual({ text: result.text, problem: result.problem }, { text, problem: undefined });
    });
  for (const [template, problem] of refused)
    it(`refuses ${template}`, () => assert.match(interpolate(template, lookup).problem ?? "", problem));

  it("tells each variable that is not set, once, and none that has a default", () => {
    const { unset } = interpolate("$A ${A} ${B:-x} ${C:-$D} ${SET:-$E} ${F:+x}", lookup);
    assert.deepEqual(unset, ["A", "D"]);
  });

  it("gives back any text of which each $ is doubled", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.equal(interpolate(text.replaceAll("$", "$$$$"), lookup).text, text);
      }),
    );
  });
  it("takes any value as it is, beside any text without variables", () => {
    const text = fc.string().map((any) => any.replaceAll("$", ""));
    fc.assert(
      fc.property(text, fc.string(), text, (before, value, after) => {
        const result = interpolate(`${before}\${V}${after}`, () => value);
        assert.equal(result.text, `${before}${value}${after}`);
      }),
    );
  });
  it("ends on whatever it is given", () => {
    const part = fc.constantFrom("$", "{", "}", "${", "$$", ":-", "-", ":?", "?", ":+", "A", "SET", " ");
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        assert.equal(typeof interpolate(parts.join(""), lookup).text, "string");
      }),
      { numRuns: 1000 },
    );
  });
});
