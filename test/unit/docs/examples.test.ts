// Whatever the README and docs/ show is parsed by what parses it in the product.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { renderCheck } from "../../../src/cli/check/report.ts";
import { parseArguments } from "../../../src/cli/command.ts";
import { commandNames, loadCommand } from "../../../src/cli/commands.ts";
import { judge } from "../../../src/core/check/judge.ts";
import { loadProject } from "../../../src/core/compose/load.ts";
import { readProject } from "../../../src/core/compose/project.ts";
import { parseUpstream } from "../../../src/core/dns/upstream-text.ts";
import { readLabels } from "../../../src/core/labels/read.ts";
import { labelKeys, labelName, placesOf } from "../../../src/core/labels/table.ts";
import { parseDuration } from "../../../src/core/model/duration.ts";
import { parseAllowlist } from "../../../src/core/policy/allowlist.ts";
import { parsePolicyFile } from "../../../src/core/policy/policy-file.ts";
import type { Presets } from "../../../src/core/policy/preset.ts";
import { parseTarget } from "../../../src/core/policy/target.ts";
import { type Example, findExamples, type LabelExample, readPages } from "../../support/doc-examples.ts";
import { presets } from "../../support/policies.ts";

const { labels, entries, policyFiles, commands, checks } = findExamples(readPages());

/** Those that come with us, and those that a policy file on the same pages defines. */
const known: Presets = new Map([
  ...presets,
  ...policyFiles.flatMap(({ text }) => {
    const result = parsePolicyFile(text, presets);
    return "file" in result ? [...result.file.presets] : [];
  }),
]);

/** A placeholder stands for what the reader writes: `ENTRY...`, `NETWORK|CONTAINER`, `…`. */
const isPlaceholder = (word: string): boolean => /^[A-Z|.[\]]+$/.test(word) || word.includes("…");

function checkEntries({ place, text }: Example): void {
  const result = parseAllowlist(text, known);
  assert.ok(result.ok, `${place}: ${JSON.stringify(result)}`);
}

function checkLabel({ place, label, text }: LabelExample): void {
  if (isPlaceholder(text)) return;
  const key = labelKeys.find((each) => each === label);
  assert.ok(key, `${place}: there is no label dockerwall.${label}`);
  if (key === "allow") checkEntries({ place, text });
  else {
    const written = { name: "web", labels: { [labelName(key)]: text } };
    const problems = placesOf(key).map((each) => readLabels(each, written).problems);
    assert.ok(
      problems.some((each) => each.length === 0),
      `${place}: ${problems.flat().join("; ")}`,
    );
  }
}

/** Words as a shell would make them of quotes. */
const wordsOf = (text: string): readonly string[] =>
  [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? "",
  );

/** The command line is one that the program takes. */
async function checkUsage({ place, text }: Example): Promise<void> {
  const [verb = "", ...args] = wordsOf(text);
  assert.ok(commandNames.includes(verb), `${place}: there is no command ${verb}`);
  const command = await loadCommand(verb);
  assert.doesNotThrow(() => parseArguments(verb, command, args), place);
}

function checkCommand({ place, text }: Example): void {
  const words = wordsOf(text);
  const [verb, ...rest] = words;
  const span = words[words.indexOf("--for") + 1] ?? "";
  if (words.includes("--for") && !isPlaceholder(span)) assert.ok(parseDuration(span), `${place}: ${span}`);
  const given = rest.filter((word, index) => !word.startsWith("--") && rest[index - 1] !== "--for");
  const written = given.slice(1).filter((word) => !isPlaceholder(word));
  if (verb === "allow" || verb === "deny" || verb === "prepare-network")
    checkEntries({ place, text: written.join(" ") });
  if (verb === "check") checkEntries({ place, text: words.slice(1).join(" ") });
  if (verb === "explain")
    for (const target of written) assert.ok(!("problem" in parseTarget(target)), `${place}: ${target}`);
}

describe("examples of the documentation", () => {
  for (const example of labels)
    it(`${example.place}: label dockerwall.${example.label}=${example.text}`, () => checkLabel(example));
  for (const example of entries) it(`${example.place}: entry ${example.text}`, () => checkEntries(example));
  for (const { place, text } of policyFiles) {
    it(`${place}: policy file`, () => {
      const result = parsePolicyFile(text, known);
      assert.ok("file" in result, JSON.stringify(Object.values(result)));
    });
  }
  for (const example of commands)
    it(`${example.place}: dockerwall ${example.text}`, async () => {
      await checkUsage(example);
      checkCommand(example);
    });

  for (const { place, text, output } of checks)
    it(`${place}: what dockerwall check says`, () => {
      const { tree, problems, unread } = loadProject({
        files: ["compose.yml"],
        read: (path) => (path === "compose.yml" ? { text } : undefined),
        environment: () => undefined,
      });
      const report = judge({ project: readProject(tree), tree, problems, unread, presets });
      assert.equal(renderCheck(report, false), output);
    });

  it("are found", () => {
    assert.ok(labels.length >= 2 && entries.length >= 7 && checks.length >= 1);
  });

  const readme = readFileSync(join(import.meta.dirname, "../../../README.md"), "utf8");
  const codeOf = (sentence: RegExp): readonly string[] =>
    [...(sentence.exec(readme)?.[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
  it("the ways to write a resolver", () => {
    const written = codeOf(/A resolver is written ([^;]*);/);
    assert.ok(written.length >= 5);
    for (const text of written) assert.ok(parseUpstream(text), text);
  });
  it("the ways to write a duration", () => {
    const written = codeOf(/A duration is ([^.]*)\./);
    assert.ok(written.length >= 3);
    for (const text of written) assert.ok(parseDuration(text), text);
  });
});

describe("findExamples", () => {
  const text = `
# Policy
| Entry | Grants |
|---|---|
| \`a.example.com\`, \`@npm\` | this |

\`\`\`yaml
networks:
  app: "@mirror"
presets: { mirror: apt.example.org }
\`\`\`
1. Or
   \`\`\`yaml
   networks:
     app:
       labels: ["dockerwall.mode=audit", other]
   services: { app: { labels: { dockerwall.allow: b.example.com } } }
   \`\`\`
\`\`\`sh
docker network create --label dockerwall.allow="c.example.com d.example.com" app
docker exec dockerwall dockerwall allow app '*.example.com' --for 15m
\`\`\`
`;
  const found = findExamples([{ name: "policy.md", text }]);
  it("finds labels in Compose and in commands, wherever they stand", () => {
    assert.deepEqual(
      found.labels.map(({ label, text: value }) => `${label}: ${value}`),
      ["mode: audit", "allow: b.example.com", "mode: audit", "allow: c.example.com d.example.com"],
    );
  });
  it("finds entries, policy files and commands", () => {
    assert.deepEqual(
      found.entries.map((entry) => entry.text),
      ["a.example.com", "@npm"],
    );
    assert.deepEqual(
      found.policyFiles.map(({ place }) => place),
      ["policy.md:8"],
    );
    assert.deepEqual(
      found.commands.map((command) => command.text),
      ["allow app '*.example.com' --for 15m"],
    );
  });
});
