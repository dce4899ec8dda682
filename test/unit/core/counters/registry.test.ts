// Whatever is declared is counted somewhere and told to every caller, also what is declared tomorrow.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { renderStatus } from "../../../../src/cli/commands/status.ts";
import { createHistory } from "../../../../src/control/history/history.ts";
import { createReporter } from "../../../../src/control/reporter.ts";
import { type CounterReading, sumReadings } from "../../../../src/core/counters/reading.ts";
import { declareCounter, declareCounters, readCounters } from "../../../../src/core/counters/registry.ts";
import { setSpecs } from "../../../../src/core/firewall/sets.ts";
import { createFakeSets } from "../../../support/fake-sets.ts";

const source = join(import.meta.dirname, "../../../../src");
const declaration = /^(?:export )?const (\w+) = declareCounters?\(\{\s+name: "([a-z0-9_]+)",/gm;

/** The modules that declare counters, with the declarations in each. */
const modules = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && file !== "core/counters/registry.ts")
  .map((file) => ({ file, text: readFileSync(join(source, file), "utf8") }))
  .filter(({ text }) => text.includes("counters/registry.ts"))
  .map(({ file, text }) => ({
    file,
    text,
    declared: [...text.matchAll(declaration)].map(([, variable = "", name = ""]) => ({ variable, name })),
  }));

describe("every counter that the product declares", async () => {
  // The worker's own file only reads them, and runs in a worker thread only.
  for (const { file, declared } of modules) if (declared.length > 0) await import(join(source, file));
  const readings = readCounters();

  it("is found by this test", () => {
    const found = modules.flatMap(({ declared }) => declared.map(({ name }) => name));
    assert.deepEqual(found.toSorted(), [...new Set(readings.map(({ name }) => name))].toSorted());
    for (const { file, text, declared } of modules)
      assert.equal(
        text.match(/\bdeclareCounters?\(/g)?.length ?? 0,
        declared.length,
        `${file}: declare each as \`const NAME = declareCounter({ name: "…", … })\``,
      );
    assert.ok(found.length >= 9);
  });

  for (const { file, text, declared } of modules) {
    for (const { variable, name } of declared) {
      it(`${name} is counted where it is declared`, () => {
        assert.match(text, new RegExp(`\\b${variable}(?:\\[.+\\])?\\.add\\(`), file);
      });
    }
  }

  it("is in what status tells, and in its text as soon as there is one", () => {
    const sets = createFakeSets(() => 0);
    for (const spec of setSpecs()) sets.create(spec);
    const reporter = createReporter({
      engineVersion: () => ({ version: "28.5.2", apiVersion: "1.51" }),
      backend: "nft",
      queues: [],
      nowMs: () => 0,
      history: createHistory({ sets, ttlSeconds: 60, nowMs: () => 0, onFailure: () => undefined }),
      lifecycle: { state: "enforcing", sinceMs: 0 },
      onStatement: () => undefined,
      onChange: () => undefined,
      overrides: () => [],
      slowed: [],
      circles: () => [],
      quarantined: () => new Set(),
    });
    const busy = readings.map((reading, index) => ({ ...reading, value: index + 2 }));
    reporter.onResolver({ running: 0, waiting: 0 }, busy);
    const report = reporter.status();
    const text = renderStatus(report, Date.now(), false);
    assert.equal(report.counters.length, readings.length);
    for (const { name, label, value, words } of busy) {
      const told = report.counters.find((each) => each.name === name && each.label?.value === label?.value);
      assert.equal(told?.value, value, name);
      assert.ok(
        text.includes(`${value} ${words.many}${label === undefined ? "" : ` (${label.value})`}`),
        text,
      );
    }
    assert.ok(!renderStatus({ ...report, counters: readings }, Date.now(), false).includes("Counted"));
  });
});

describe("counters", () => {
  const words = { one: "thing", many: "things" };
  const named = (name: string): readonly CounterReading[] =>
    readCounters().filter((each) => each.name === name);

  it("stand at nought from the start, for each value of their label", () => {
    const { left, right } = declareCounters({
      name: "test_sides",
      help: "h",
      words,
      label: { name: "side", values: ["left", "right"] },
    });
    assert.deepEqual(
      named("test_sides").map(({ value }) => value),
      [0, 0],
    );
    left.add();
    right.add(3);
    assert.deepEqual(
      named("test_sides").map(({ label, value }) => [label?.value, value]),
      [
        ["left", 1],
        ["right", 3],
      ],
    );
  });

  it("have a name each", () => {
    declareCounter({ name: "test_once", help: "h", words });
    assert.throws(
      () => declareCounter({ name: "test_once", help: "h", words }),
      /test_once is declared twice/,
    );
  });

  it("of both planes are summed by name and label", () => {
    const reading = (value: number, side?: string): CounterReading => ({
      name: "n",
      label: side === undefined ? undefined : { name: "side", value: side },
      help: "h",
      words,
      value,
    });
    const sums = sumReadings([
      reading(1),
      reading(2, "left"),
      reading(3),
      reading(4, "right"),
      reading(5, "left"),
    ]);
    assert.deepEqual(
      sums.map(({ value }) => value),
      [4, 7, 4],
    );
  });
});
