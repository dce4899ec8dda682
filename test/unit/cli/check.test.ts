// `dockerwall check` as a user or CI runs it: files of a folder, files by name, entries; its exit codes; and that it
// needs neither an engine nor the tools of a firewall.

import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const repository = join(import.meta.dirname, "../../..");
const tsx = fileURLToPath(import.meta.resolve("tsx"));
const folder = mkdtempSync(join(tmpdir(), "dockerwall-check-"));
after(() => rmSync(folder, { recursive: true, force: true }));

let lastProject = 0;

/** A folder with these files. */
function projectOf(files: Readonly<Record<string, string>>): string {
  lastProject += 1;
  const project = join(folder, String(lastProject));
  for (const [name, text] of Object.entries({ ".keep": "", ...files })) {
    mkdirSync(dirname(join(project, name)), { recursive: true });
    writeFileSync(join(project, name), text);
  }
  return project;
}

function check(
  files: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): SpawnSyncReturns<string> {
  const program = ["--import", tsx, join(repository, "src/main.ts"), "check", ...args];
  return spawnSync(process.execPath, program, {
    cwd: projectOf(files),
    env: { PATH: process.env["PATH"], ...environment },
    encoding: "utf8",
  });
}

const good = `
services:
  app:
    networks: [app]
networks:
  app:
    labels:
      dockerwall.allow: "\${ALLOW:-a.example.com:443}"
`;

const said = `Network app (compose.yml:6): guarded; on it: app
  a.example.com:443  a.example.com, port 443 (TCP and UDP)
Service app (compose.yml:3): on app (guarded)
A daemon would enforce all of it.
`;

interface Case {
  readonly name: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly code: number;
  readonly stdout?: RegExp | string;
  readonly stderr?: RegExp;
}

const cases: readonly Case[] = [
  { name: "the file of the folder", files: { "compose.yml": good }, code: 0, stdout: said },
  {
    name: "a file by its name",
    files: { "x/prod.yaml": good },
    args: ["x/prod.yaml"],
    code: 0,
    stdout: /^Network app \(x\/prod.yaml:6\)/,
  },
  {
    name: "compose.yaml before docker-compose.yml",
    files: {
      "compose.yaml": good,
      "docker-compose.yml": "networks: {other: {labels: {dockerwall.alow: x}}}",
    },
    code: 0,
    stdout: /compose.yaml:6/,
  },
  {
    name: "an override file",
    files: {
      "compose.yml": good,
      "compose.override.yml": "networks: {app: {labels: [dockerwall.allow=b.example.com]}}",
    },
    code: 0,
    stdout: / {2}b.example.com /,
  },
  {
    name: "no override file where files are named",
    files: { "compose.yml": good, "compose.override.yml": "networks: {app: {labels: [dockerwall.alow=x]}}" },
    args: ["./compose.yml"],
    code: 0,
    stdout: said,
  },
  {
    name: "COMPOSE_FILE of .env",
    files: {
      ".env": "COMPOSE_FILE=a.yml;b.yml\nCOMPOSE_PATH_SEPARATOR=;\n",
      "a.yml": good,
      "b.yml": "networks: {app: {labels: [dockerwall.mode=audit, dockerwall.types=TXT]}}",
    },
    code: 0,
    stdout:
      /guarded in audit mode \(everything passes\); on it: app\n {2}also serves TXT\n {2}a\.example\.com/,
  },
  {
    name: ".env",
    files: { "compose.yml": good, ".env": "ALLOW='b.example.com'" },
    code: 0,
    stdout: / {2}b.example.com /,
  },
  {
    name: "the environment",
    files: { "compose.yml": good, ".env": "ALLOW='b.example.com'" },
    environment: { ALLOW: "c_.example" },
    code: 0,
    stdout: / {2}c_.example /,
  },
  {
    name: "a slip",
    files: { "compose.yml": good.replace("dockerwall.allow", "dockerwall.alow") },
    code: 1,
    stdout:
      /Problem: compose.yml:8: network "app", label dockerwall.alow: .*did you mean dockerwall.allow\?\nNo network carries .*\n1 problem: a daemon would not enforce all of it\.\n$/,
  },
  {
    name: "a file that is no YAML",
    files: { "compose.yml": "a: [\n" },
    code: 1,
    stdout:
      /^Problem: compose.yml:\d: [^\n]*\nNothing was judged of what cannot be read: compose.yml.\n1 problem: a daemon would not enforce all of it.\n$/,
  },
  {
    name: "a file that is no YAML beside one that is",
    files: { "compose.yml": good, "compose.override.yml": "a: [\n" },
    code: 1,
    stdout:
      /^Network app [\s\S]*\nNothing was judged of what cannot be read: compose.override.yml.\n1 problem: /,
  },
  ...["", "# nothing yet\n", "{}\n", "---\n"].map((text) => ({
    name: `a file with ${JSON.stringify(text)}`,
    files: { "compose.yml": text },
    code: 1,
    stdout: /^Problem: compose.yml:1: there is nothing in it, and Compose refuses that\nNo network carries /,
  })),
  {
    name: "an override file with nothing in it",
    files: { "compose.yml": good, "compose.override.yml": "" },
    code: 0,
    stdout: said,
  },
  {
    name: "a project without a label",
    files: { "compose.yml": "services: {app: {}}" },
    code: 0,
    stdout: /\nNo network carries .*\nThere is no mistake in it, and nothing for a daemon to enforce\.\n$/,
  },
  {
    name: "entries that only take away",
    args: ["!ads.example.com"],
    code: 0,
    stdout: /Warning: it has only `!` entries, which grant nothing; write what may be reached, too\n$/,
  },
  {
    name: "a name of the host",
    args: ["host.docker.internal"],
    code: 0,
    stdout: /Warning: entry "host.docker.internal" opens nothing: .* write host:PORT\/tcp, and give the name/,
  },
  {
    name: "what a terminal must not get",
    files: { "compose.yml": 'services: {"\\e[2J": {}}' },
    code: 0,
    stdout: /^Network default .*on it: \\x1b\[2J\n/,
  },
  {
    name: "a preset of one's own",
    files: { "compose.yml": good, "p.yml": "presets: {mirror: apt.example.org}" },
    environment: { ALLOW: "@mirror" },
    args: ["--policy-file", "p.yml"],
    code: 0,
    stdout: /@mirror {2}apt.example.org/,
  },
  {
    name: "a preset that is not known",
    files: { "compose.yml": good },
    environment: { ALLOW: "@mirror" },
    code: 1,
    stdout: /there is no preset @mirror/,
  },
  {
    name: "JSON",
    files: { "compose.yml": good },
    args: ["--json"],
    code: 0,
    stdout: /^\{\n {2}"files": \[\n {4}"compose.yml"\n {2}\],\n {2}"ok": true,/,
  },
  {
    name: "entries",
    args: ["*.example.com", "!ads.example.com host:5432/tcp"],
    code: 0,
    stdout:
      "*.example.com     example.com and every name below it, every port and protocol\n!ads.example.com  takes away ads.example.com, every port and protocol\nhost:5432/tcp     the Docker host itself, port 5432 (TCP)\n",
  },
  {
    name: "a bad entry",
    args: ["a.example.com", "foo"],
    code: 1,
    stdout: /Problem: entry "foo": a single-label name /,
  },
  {
    name: "a URL without its scheme",
    args: ["//www.example.com"],
    code: 1,
    stdout: /Problem: entry "\/\/www.example.com": it looks like a URL; write the name only: www.example.com/,
  },
  { name: "entries as JSON", args: ["--json", "192.0.2.7"], code: 0, stdout: /"target": "192.0.2.7\/32"/ },
  {
    name: "other .env files",
    files: { "compose.yml": good },
    environment: { COMPOSE_ENV_FILES: "x.env" },
    code: 2,
    stderr: /does not follow COMPOSE_ENV_FILES; unset it/,
  },
  {
    name: "a folder without a file",
    code: 2,
    stderr: /^dockerwall: there is no compose.yaml or .* in this folder; name a Compose file\n$/,
  },
  {
    name: "a file that is not there",
    args: ["no.yml"],
    code: 2,
    stderr: /^dockerwall: there is no file no.yml\n$/,
  },
  { name: "a folder", args: ["."], code: 2, stderr: /is a folder; name its Compose file/ },
  {
    name: "files and entries at once",
    args: ["a.yml", "a.example.com"],
    code: 2,
    stderr: /files or entries, not both; "a.example.com" does not end in/,
  },
  { name: "an unknown option", args: ["--jsn"], code: 2, stderr: /did you mean --json\?/ },
  {
    name: "a bad policy file",
    args: ["--policy-file", "no.yml"],
    code: 2,
    stderr: /--policy-file no.yml: there is no such file/,
  },
];

describe("dockerwall check", () => {
  for (const { name, files = {}, args, environment, code, stdout = "", stderr = /^$/ } of cases)
    it(`of ${name} exits with ${code}`, () => {
      const result = check(files, args, environment);
      if (typeof stdout === "string") assert.equal(result.stdout, stdout);
      else assert.match(result.stdout, stdout);
      assert.match(result.stderr, stderr);
      assert.equal(result.status, code);
    });

  it("is run by the image without any tool of a firewall, and without rights", () => {
    const bin = projectOf({ node: '#!/bin/sh\necho "$@"\n' });
    chmodSync(join(bin, "node"), 0o755);
    const result = spawnSync("/bin/sh", [join(repository, "entrypoint.sh"), "check", "compose.yml"], {
      env: { PATH: bin },
      encoding: "utf8",
    });
    assert.deepEqual(
      [result.stdout, result.stderr, result.status],
      [
        "--disable-sigusr1 --max-semi-space-size=4 --heap-growing-percent=50 /app/dist/main.js check compose.yml\n",
        "",
        0,
      ],
    );
  });

  it("is no way to a debugger where it is run by its name, as by docker exec", () => {
    const [first = ""] = readFileSync(join(repository, "src/main.ts"), "utf8").split("\n");
    assert.equal(first, "#!/usr/bin/env -S node --disable-sigusr1");
  });
});
