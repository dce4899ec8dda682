import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commands } from "../../src/cli/commands.ts";
import { settings } from "../../src/io/config.ts";
import { parseEntry } from "../../src/policy/entry.ts";

const repository = join(import.meta.dirname, "../..");
const read = (name: string): string => readFileSync(join(repository, name), "utf8");
const readme = read("README.md");

test("readme: the Compose snippet is compose.example.yml", () => {
  const snippet = /^```yaml\n([\s\S]*?)^```$/m.exec(readme)?.[1];
  assert.equal(snippet, read("compose.example.yml"));
});

test("readme: the configuration table is the one in the code", () => {
  const rows = readme.split("\n").filter((line) => line.startsWith("| `DOCKERWALL_"));
  const expected = Object.values(settings).map(({ env, flag, fallback, help }) => {
    return `| \`${env}\` | \`--${flag}\` | ${fallback === undefined ? "" : `\`${fallback}\``} | ${help} |`;
  });
  assert.deepEqual(rows, expected);
});

test("readme: every command is explained, and no other", () => {
  const section = /^## Commands$([\s\S]*?)^## /m.exec(readme)?.[1] ?? "";
  const explained = [...section.matchAll(/^\| `([a-z-]+)[^|]*\|/gm)].map((match) => match[1]);
  assert.deepEqual(explained.toSorted(), Object.keys(commands).toSorted());
});

test("readme: every example of an entry, and the example's label, can be parsed", () => {
  const section = /^## Labels$([\s\S]*?)^## /m.exec(readme)?.[1] ?? "";
  const cells = section.split("\n").filter((line) => line.startsWith("| `"));
  const label = /dockerwall\.allow: "([^"]*)"/.exec(read("compose.example.yml"))?.[1] ?? "";
  const entries = cells.flatMap((line) =>
    [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""),
  );
  for (const entry of [...entries, ...label.split(" ")]) assert.ok("entry" in parseEntry(entry), entry);
  assert.ok(entries.length >= 7);
});

test("readme: every linked file exists", () => {
  for (const [, path = ""] of readme.matchAll(/\]\(([^)#:]+)\)/g))
    assert.ok(existsSync(join(repository, path)), path);
});

test("image: what it copies is there, and reaches the build", () => {
  const ignore = read(".dockerignore").split("\n");
  const copied = [...read("Dockerfile").matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
    (match) => match[1]?.split(" ") ?? [],
  );
  assert.ok(copied.length > 0);
  for (const path of copied) {
    assert.ok(existsSync(join(repository, path)), path);
    assert.ok(ignore.includes(`!${path}`), path);
  }
});
