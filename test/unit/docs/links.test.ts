// Every link of the README, of docs/ and of CONTRIBUTING leads somewhere, down to the heading; every script and every
// file that a command names is there.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { readPages } from "../../support/doc-examples.ts";

const repository = join(import.meta.dirname, "../../..");
const pages = readPages().filter(({ name }) => name.endsWith(".md"));

/** Text without blocks of code, where nothing is a link or a heading. */
const proseOf = (text: string): string => text.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, "");

/** The anchor that GitHub makes of a heading. */
function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

const anchors = new Map(
  pages.map(({ name, text }) => [
    name,
    new Set([...proseOf(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading))),
  ]),
);

describe("links", () => {
  for (const { name, text } of pages) {
    const links = [...proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
    for (const link of new Set(links)) {
      if (/^https?:/.test(link)) continue;
      it(`${name}: ${link}`, () => {
        const [path = "", anchor] = link.split("#");
        const target = path === "" ? name : relative(repository, join(repository, dirname(name), path));
        assert.ok(existsSync(join(repository, target)), target);
        if (anchor !== undefined) assert.ok(anchors.get(target)?.has(anchor), `${target} has no #${anchor}`);
      });
    }
  }

  it("lead to every page from the README", () => {
    const readme = pages.find(({ name }) => name === "README.md")?.text ?? "";
    for (const { name } of pages)
      if (name !== "README.md")
        assert.ok(readme.includes(`](${name})`) || readme.includes(`](${name}#`), name);
  });
});

describe("commands of contributors", () => {
  const { scripts } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  for (const { name, text } of pages) {
    for (const [command, script = ""] of text.matchAll(/npm run (?:--silent )?([a-z][a-z:-]*[a-z])/g))
      it(`${name}: ${command}`, () => assert.ok(script in scripts));
    for (const [, path = ""] of text.matchAll(/(?<![\w./-])((?:test|bench|src)\/[\w./-]+\.ts)\b/g))
      it(`${name}: ${path}`, () => assert.ok(existsSync(join(repository, path))));
    it(`${name}: nothing needs a Node that is not there`, () =>
      assert.doesNotMatch(text, /(^|[`$ ])node --import/m));
  }
});

describe("words", () => {
  for (const { name, text } of pages)
    it(`${name}: says who`, () => assert.doesNotMatch(text, /\b(somebody|whoever|someone)\b/i));
});
