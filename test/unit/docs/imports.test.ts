// The picture of who imports whom is that of the source, and leads nowhere in a circle.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../../..");
const src = join(root, "src");

/** A plane, or a folder of `edge`; what lies directly in src is none of them. */
function partOf(path: string): string | undefined {
  const [first = "", second = ""] = relative(src, path).split("/");
  if (first.endsWith(".ts")) return undefined;
  return first === "edge" ? `edge/${second}` : first;
}

/** Imports across parts, of types and at run time too, but those of `core` by `edge`. */
function importsOfSource(): ReadonlySet<string> {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const found = files.flatMap((name) => {
    const path = join(src, name);
    const from = partOf(path);
    const text = readFileSync(path, "utf8");
    return [...text.matchAll(/(?:from |import\(|import )"(\.[^"]+)"/g)].flatMap(([, target = ""]) => {
      const to = partOf(join(dirname(path), target));
      if (from === undefined || to === undefined || from === to) return [];
      return from.startsWith("edge/") && to === "core" ? [] : [`${from} --> ${to}`];
    });
  });
  return new Set(found);
}

test("docs/architecture.md: its picture shows the imports of the source", () => {
  const text = readFileSync(join(root, "docs/architecture.md"), "utf8");
  const names = new Map(
    [...text.matchAll(/^ {2}(\w+)\["([^"]+)"\]$/gm)].map(([, id = "", name = ""]) => [id, name]),
  );
  const drawn = [...text.matchAll(/^ {2}(\w+) --> (\w+)$/gm)].map(
    ([, from = "", to = ""]) => `${names.get(from)} --> ${names.get(to)}`,
  );
  assert.ok(drawn.length > 20, `${drawn.length} arrows`);
  assert.deepEqual(drawn.sort(), [...importsOfSource()].sort());
});

/** Parts in a circle, or that lead into one: what is left when each that imports nothing of the rest is taken away. */
function partsInCircles(arrows: Iterable<string>): readonly string[] {
  let left = [...arrows].map((arrow) => arrow.split(" --> ") as [from: string, to: string]);
  for (let before = -1; before !== left.length; ) {
    before = left.length;
    const importing = new Set(left.map(([from]) => from));
    left = left.filter(([, to]) => importing.has(to));
  }
  return [...new Set(left.map(([from]) => from))].sort();
}

test("no part of the source imports itself by way of others", () => {
  assert.deepEqual(partsInCircles(importsOfSource()), []);
  assert.deepEqual(partsInCircles(["a --> b", "b --> c", "c --> b", "c --> d"]), ["a", "b", "c"]);
});

test("edge/kernel imports no other folder of edge", () => {
  const arrows = [...importsOfSource()].filter((arrow) => arrow.startsWith("edge/kernel --> "));
  assert.deepEqual(arrows, []);
});
