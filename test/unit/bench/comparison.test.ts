import assert from "node:assert/strict";
import { test } from "node:test";
import { noRatio, wrongPart } from "../../../bench/comparison.ts";

const ours = { name: "Dockerwall", wrong: 0 };

for (const { name, sides, why } of [
  { name: "both answer as they should", sides: [ours, { name: "unbound", wrong: 0 }], why: undefined },
  {
    name: "a few wrong answers are no other work",
    sides: [ours, { name: "unbound", wrong: 0.001 }],
    why: undefined,
  },
  {
    name: "a peer that answers otherwise",
    sides: [ours, { name: "dnsmasq", wrong: 1 }],
    why: "100.0 % of the answers of dnsmasq were wrong",
  },
  {
    name: "ours that answers otherwise",
    sides: [
      { ...ours, wrong: 0.0021 },
      { name: "dnsmasq", wrong: 0 },
    ],
    why: "0.2 % of the answers of Dockerwall were wrong",
  },
  {
    name: "several of several",
    sides: [ours, { name: "unbound", wrong: 0.5 }, { name: "dnsdist", wrong: 0.25 }],
    why: "50.0 % of the answers of unbound were wrong, 25.0 % of the answers of dnsdist were wrong",
  },
])
  test(`comparison: ${name}`, () => assert.equal(noRatio(sides), why));

for (const { name, rounds, part } of [
  { name: "none is wrong", rounds: [{ answers: 10, right: 10 }], part: 0 },
  {
    name: "a round that went wrong is not hidden by the others",
    rounds: [
      { answers: 10, right: 10 },
      { answers: 10, right: 0 },
      { answers: 20, right: 20 },
    ],
    part: 0.25,
  },
  { name: "without answers, none is wrong", rounds: [{ answers: 0, right: 0 }], part: 0 },
  { name: "without rounds, none is wrong", rounds: [], part: 0 },
])
  test(`comparison: ${name}`, () => assert.equal(wrongPart(rounds), part));
