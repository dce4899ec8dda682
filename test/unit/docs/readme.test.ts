import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commands } from "../../../src/cli/commands.ts";
import { labelKeys, labelName, labels } from "../../../src/core/labels/table.ts";
import { settings } from "../../../src/edge/host/config.ts";

const repository = join(import.meta.dirname, "../../..");
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

test("readme: the table of labels is the one in the code", () => {
  const rows = readme.split("\n").filter((line) => /^\|\s*`?dockerwall\./i.test(line));
  const expected = labelKeys.map((key) => {
    const { on, values, help, effect } = labels[key];
    return `| \`${labelName(key)}\` | ${on.join(", ")} | ${values} | ${help} | ${effect} |`;
  });
  assert.deepEqual(rows, expected);
});

test("readme: every command is explained, and no other", () => {
  const section = /^## Commands$([\s\S]*?)^## /m.exec(readme)?.[1] ?? "";
  const explained = [...section.matchAll(/^\| `([a-z-]+)[^|]*\|/gm)].map((match) => match[1]);
  assert.deepEqual(explained.toSorted(), Object.keys(commands).toSorted());
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
