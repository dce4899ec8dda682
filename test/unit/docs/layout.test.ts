// A folder, and a function, is something that can be taken in at a glance; who may import whom is checked by the linter.

import assert from "node:assert/strict";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

const src = join(import.meta.dirname, "../../../src");
const filesAtMost = 14;
/** A screen, from the first line of the function's head to its closing brace. */
const linesAtMost = 60;
/** Begins the comment above a function that is best left long; the reason follows. */
const excuse = "// Long because ";

const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map(({ parentPath, name }) => ({ folder: relative(src, parentPath), name }));

/** Each file in it is a command, and nothing else: as many as there are commands. */
const commandsFolder = "cli/commands";

/** The folder of each other file of src. */
const folders = files.map(({ folder }) => folder).filter((folder) => folder !== commandsFolder);

for (const [folder, inIt] of Map.groupBy(folders, (each) => each)) {
  test(`layout: src/${folder} holds ${filesAtMost} files at most`, () => {
    assert.ok(inIt.length <= filesAtMost, `${inIt.length} files`);
  });
}

test(`layout: a folder of kernel tests holds ${filesAtMost} files at most`, () => {
  const tests = globSync("**/*.test.ts", { cwd: join(src, "../test/kernel") });
  const full = [...Map.groupBy(tests, dirname)].filter(([, inIt]) => inIt.length > filesAtMost);
  assert.ok(tests.length > 0);
  assert.deepEqual(full, []);
});

test(`layout: what is in src/${commandsFolder} are commands`, () => {
  const other = files
    .filter(({ folder }) => folder === commandsFolder)
    .filter(
      ({ name }) =>
        !/^export const command: Command = /m.test(readFileSync(join(src, commandsFolder, name), "utf8")),
    );
  assert.deepEqual(other, []);
});

test("layout: of the daemon's API the CLI knows the types alone: to load it would be to load the daemon", () => {
  const api = /^import ((?:(?!;$)[\s\S])*?) from "[^"]*\/control\/api\/[^"]*";$/gm;
  const imports = files
    .filter(({ folder }) => folder === "cli" || folder.startsWith("cli/"))
    .flatMap(({ folder, name }) => [...readFileSync(join(src, folder, name), "utf8").matchAll(api)])
    .map(([, what]) => what);
  assert.deepEqual(imports, ["type { ControlApi }"]);
});

test("layout: functions fit a screen, or say why not", () => {
  const paths = files.map(({ folder, name }) => join(folder, name));
  const long = paths.flatMap((path) =>
    longFunctions(readFileSync(join(src, path), "utf8"), linesAtMost).map((at) => `src/${path}:${at}`),
  );
  assert.deepEqual(long, []);
});

test("layout: a function that does not fit is found, however its head is written", () => {
  const body = ["  work();", "", "  // Why.", "  work();"];
  const lines = (head: readonly string[], end = "}"): string => [...head, ...body, end].join("\n");
  const long = [
    ["export function a(): void {"],
    ["function a({ x }: X): { readonly y: string } {"],
    ["async function a<T>(", "  x: T,", "): Promise<T> {"],
    ["export function a({", "  x,", "}: X): (y: string) => string {"],
    ["const a = async (x: X): Promise<void> => {"],
  ];
  for (const head of long) {
    assert.deepEqual(longFunctions(lines(head), 5), [`1: ${head[0]}`], head.join("\n"));
    assert.deepEqual(longFunctions(lines(head), body.length + head.length + 1), [], head.join("\n"));
  }
  const inside = (text: string): string => text.replaceAll(/^(?=.)/gm, "  ");
  for (const [head, end] of [
    ["async b(x) {", "},"],
    ["b: (x) => {", "},"],
    ["get b(): X {", "}"],
    ["#b(): void {", "}"],
    ["each(1, async () => {", "});"],
    ["return (x) => {", "};"],
  ] as const) {
    const text = `class A {\n${inside(lines([head], end))}\n}`;
    assert.deepEqual(longFunctions(text, 5), [`2: ${head}`], head);
    assert.deepEqual(longFunctions(text, 6), [], head);
  }
  assert.deepEqual(longFunctions(lines([`${excuse}it is a table.`, "function a() {"]), 5), []);
  const values = ["export interface A {", "class A extends B {", "const a = {", "switch (a) {", "if (a) {"];
  for (const head of values) assert.deepEqual(longFunctions(lines([head]), 2), [], head);
});

/** The files of src whose text contains this. */
const filesWith = (text: string): readonly string[] =>
  files
    .map(({ folder, name }) => join(folder, name))
    .filter((file) => readFileSync(join(src, file), "utf8").includes(text));

test("layout: bytes of others are read by our own code; the library is for our own questions", () => {
  assert.deepEqual(filesWith('from "dns-packet"'), ["core/dns/probe.ts"]);
});

test("layout: one function repeats work in both planes", () => {
  assert.deepEqual(filesWith("function every("), ["edge/host/every.ts"]);
});

/** Whose timers need no boundary of that kind, and why. */
const boundariesOfTheirOwn: ReadonlyMap<string, string> = new Map([
  ["edge/control-socket/client.ts", "a command of the CLI ends with it"],
  ["edge/host/stdout.ts", "it is the log, and catches what writing throws"],
  ["edge/kernel/netlink/socket.ts", "a close says by its callback what fails"],
  ["edge/kernel/readiness.ts", "who watches contains what it calls"],
  ["edge/listener/turns.ts", "who waits for a turn contains what it calls"],
  ["edge/upstream/race.ts", "without a closure for each race"],
]);

test("layout: what a timer calls is contained: a throw in it would end the daemon", () => {
  const bare = files
    .map(({ folder, name }) => join(folder, name))
    .filter((file) => /^(edge|data)\//.test(file))
    .flatMap((file) => bareTimers(readFileSync(join(src, file), "utf8")).map((call) => ({ file, call })));
  assert.deepEqual(
    bare.filter(({ file }) => !boundariesOfTheirOwn.has(file)),
    [],
  );
  assert.deepEqual(new Set(bare.map(({ file }) => file)), new Set(boundariesOfTheirOwn.keys()));
});

test("layout: a timer is found, however its call is written", () => {
  for (const [text, found] of [
    ["setTimeout(work, 1)", 1],
    ["setTimeout(() => work(), 1); setImmediate(work)", 2],
    ["setInterval(\n  () => work(),\n  1)", 1],
    ["timer ??= setTimeout(this.#work, 1)", 1],
    ["setImmediate(() => {", 1],
    ["setInterval(() => contain(work, tell), 1)", 0],
    ["setTimeout(contained(work, tell), 1)", 0],
    ["setInterval(\n  contained(work, tell),\n  1)", 0],
    ["const work = contained(now, tell); setImmediate(work)", 0],
    ["this.#work = contained(now, tell); setImmediate(this.#work)", 0],
    ["setTimeout(resolve, 1); setTimeout(() => reject(late), 1); setTimeout(() => abort.abort(), 1)", 0],
    ["socket.setTimeout(1, end)", 0],
  ] as const)
    assert.equal(bareTimers(text).length, found, text);
});

test("layout: core draws nothing by chance; the linter sees to its clock", () => {
  assert.deepEqual(
    filesWith("Math.random").filter((file) => file.startsWith("core/")),
    [],
  );
});

/** Calls of timers with anything but what is contained, or what ends a promise or a request. */
function bareTimers(text: string): readonly string[] {
  return [...text.matchAll(/(?<![.\w])set(?:Timeout|Immediate|Interval)\(\s*(\(\) => )?([\w.#]*)/g)].flatMap(
    ([call, , given = ""]) => {
      const isContained = /^contain(ed)?$/.test(given) || text.includes(`${given} = contained(`);
      return isContained || /^(resolve|reject|abort\.abort)$/.test(given) ? [] : [call];
    },
  );
}

/**
 * Functions of more lines than this, with the line of the head of each, unless a comment above gives the reason. The
 * formatter's indentation shows where a function begins and ends: TypeScript 7 has no stable parser for us to ask.
 */
function longFunctions(text: string, atMost: number): readonly string[] {
  const lines = text.split("\n");
  return lines.flatMap((line, at) => {
    if (!/(=>|\)(: .*)?) \{$/.test(line) || /^\s*(\} )?(if|else|for|while|switch|catch)\b/.test(line))
      return [];
    const indent = line.search(/\S/);
    const isOutside = (other: string): boolean => other !== "" && other.search(/\S/) <= indent;
    const end = lines.findIndex((other, index) => index > at && isOutside(other));
    const above = lines
      .slice(0, at + 1)
      .findLastIndex((other) => isOutside(other) && !/^\s*[)}\]]/.test(other));
    const isExcused = lines[above - 1]?.trimStart().startsWith(excuse) === true;
    return end - above + 1 > atMost && !isExcused ? [`${above + 1}: ${lines[above]?.trimStart()}`] : [];
  });
}
