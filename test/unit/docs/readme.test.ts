import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseDocument } from "yaml";
import { renderStats } from "../../../src/cli/commands/stats.ts";
import { commandNames } from "../../../src/cli/commands.ts";
import { probeRules } from "../../../src/core/firewall/rules/probe.ts";
import { setSpecs } from "../../../src/core/firewall/sets.ts";
import { type Label, labelKeys, labelName, labels, placesOf } from "../../../src/core/labels/table.ts";
import type { NetworkStats } from "../../../src/core/model/report/stats.ts";
import { settings } from "../../../src/edge/host/config/settings.ts";
import { allExitCodes } from "../../../src/errors.ts";
import {
  afterwards,
  commandsOfDocs,
  commandsOfReadme,
  inExample,
  inProject,
  typedElsewhere,
} from "../../support/readme-commands.ts";

const repository = join(import.meta.dirname, "../../..");
const read = (name: string): string => readFileSync(join(repository, name), "utf8");
let readme = read("README.md");

/** The rows of the README that begin so are these; UPDATE_DOCS=1 writes them anew where there are some already. */
function assertRows(begin: RegExp, expected: readonly string[]): void {
  const isRow = (line: string | undefined): boolean => line !== undefined && begin.test(line);
  if (process.env["UPDATE_DOCS"] === "1") {
    const lines = readme.split("\n");
    readme = lines
      .flatMap((line, index) => (!isRow(line) ? line : isRow(lines[index - 1]) ? [] : expected))
      .join("\n");
    writeFileSync(join(repository, "README.md"), readme);
  }
  assert.deepEqual(readme.split("\n").filter(isRow), expected);
}

test("readme: the Compose snippet is compose.example.yml", () => {
  const snippet = /^```yaml\n([\s\S]*?)^```$/m.exec(readme)?.[1];
  assert.equal(snippet, read("compose.example.yml"));
});

test("readme: the configuration table is the one in the code (UPDATE_DOCS=1 writes it anew)", () => {
  const expected = Object.values(settings).map(({ env, flag, fallback, help }) => {
    return `| \`${env}\` | \`--${flag}\` | ${fallback === undefined ? "" : `\`${fallback}\``} | ${help} |`;
  });
  assertRows(/^\| `DOCKERWALL_/, expected);
});

test("readme: the kernel modules of rules and sets that it names are those that are tried at start", () => {
  const requirements = /^- Kernel modules, .*(?:\n {2}.*)*/m.exec(readme)?.[0] ?? "";
  const tried = [...probeRules(4), ...probeRules(6)].map((line) => line.split("|")[0] ?? "");
  const modules = new Set(tried.filter((module) => module !== "table"));
  const named = requirements.match(/\b(?:xt|ipt|ip6t)_\w+/g) ?? [];
  assert.deepEqual(named.toSorted(), [...modules].toSorted());
  const types = new Set(setSpecs().map(({ type }) => type));
  assert.deepEqual(
    (requirements.match(/\b(?:hash|list):[a-z,]*[a-z]/g) ?? []).toSorted(),
    [...types].toSorted(),
  );
});

test("troubleshooting: every exit code has its row, and no other", () => {
  const section =
    /^## A command of Dockerwall fails$([\s\S]*)/m.exec(read("docs/troubleshooting.md"))?.[1] ?? "";
  const rows = [...section.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  assert.deepEqual(rows, [1, ...allExitCodes]);
});

test("readme: the table of labels is the one in the code (UPDATE_DOCS=1 writes it anew)", () => {
  const expected = labelKeys.flatMap((key) => {
    const byRow = Map.groupBy(placesOf(key), (place): Label => labels[place][key] ?? assert.fail(key));
    return [...byRow].map(
      ([{ values, help, effect }, places]) =>
        `| \`${labelName(key)}\` | ${places.join(", ")} | ${values} | ${help} | ${effect} |`,
    );
  });
  assertRows(/^\|\s*`?dockerwall\./i, expected);
});

test("readme: every command is explained, and no other", () => {
  const section = /^## Commands$([\s\S]*?)^## /m.exec(readme)?.[1] ?? "";
  const explained = [...section.matchAll(/^\| `([a-z-]+)[^|]*\|/gm)].map((match) => match[1]);
  assert.deepEqual(explained.toSorted(), commandNames);
});

test("every command that the README and docs/ show is typed on an engine", () => {
  const typed = [inExample, inProject, afterwards, typedElsewhere].flat().map(({ shown }) => shown);
  const shown = new Set([...commandsOfReadme(), ...commandsOfDocs()]);
  assert.deepEqual(typed.toSorted(), [...shown].toSorted());
});

test("readme: what `stats` shows is what it prints", () => {
  const shown = /^\$ docker exec dockerwall stats\n([\s\S]*?)^```$/m.exec(readme)?.[1];
  const nowMs = 100_000;
  const who = { address: "172.20.0.2", container: "dockerwall-app-1" };
  const network: NetworkStats = {
    network: "dockerwall_app",
    mode: "enforce",
    subnets: ["172.20.0.0/16"],
    lookups: [
      { ...who, domain: "api.github.com", allowed: true, count: 2, lastSeenMs: nowMs - 12_000 },
      { ...who, domain: "www.example.org", allowed: false, count: 2, lastSeenMs: nowMs - 9_000 },
    ],
    drops: [
      {
        ...who,
        destination: "203.0.113.30",
        service: "tcp:443",
        packets: 2,
        bytes: 120,
        lastSeenMs: nowMs - 3_000,
        domain: undefined,
      },
    ],
  };
  assert.equal(shown, renderStats({ generatedAtMs: nowMs, networks: [network] }, false));
});

test("readme: entries that YAML would take for something else are quoted", () => {
  const blocks = [...readme.matchAll(/^ *```yaml\n([\s\S]*?)^ *```$/gm)].map(([, text = ""]) => text);
  assert.ok(blocks.length >= 4);
  for (const text of blocks) assert.deepEqual(parseDocument(text).errors, []);
  const value = "!tracker.example.com";
  assert.notEqual(parseDocument(`allow: ${value}`).toJS().allow, value, "YAML takes a tag");
});

test("image: every command but the daemon, and help, are on its PATH by their own names", (t) => {
  assert.match(read("Dockerfile"), /&& node dist\/cli\/link-commands\.js \/usr\/local\/bin \\$/m);
  const folder = mkdtempSync(join(tmpdir(), "dockerwall-links-"));
  t.after(() => rmSync(folder, { recursive: true }));
  execFileSync(process.execPath, [join(repository, "src/cli/link-commands.ts"), folder]);
  const linked = readdirSync(folder);
  assert.deepEqual(
    linked.toSorted(),
    [...commandNames.filter((name) => name !== "daemon"), "help"].toSorted(),
  );
  for (const name of linked) assert.equal(readlinkSync(join(folder, name)), join(repository, "src/main.js"));
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
