// compose.example.yml as it is, and what its user sees: the demo shows it, and a test holds it on every engine.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandResult } from "./lab/command.ts";
import type { Engine } from "./lab/engine.ts";
import { repository } from "./lab/repository.ts";

const file = join(repository, "compose.example.yml");

/** The label of the example's network. */
export const exampleLabel = /dockerwall\.allow: "(.*)"/.exec(readFileSync(file, "utf8"))?.[1];

/** The example, up: names of the app's container and of its network, as Compose made them. */
export interface Example {
  readonly app: string;
  readonly network: string;
}

/** Runs Compose on the file, with an app that has the tools to try it. */
function composeExample(engine: Engine, ...args: string[]): Promise<CommandResult> {
  const options = { cwd: repository, env: { APP_IMAGE: "client:lab" } };
  return engine.dockerWith(options, "compose", "-f", file, ...args);
}

/** Brings it up and waits until everything in it is healthy. */
export async function startExample(engine: Engine): Promise<Example> {
  mustWork(await engine.docker("tag", "dockerwall:lab", "dockerwall"));
  mustWork(await composeExample(engine, "up", "--no-build", "--detach", "--wait"));
  const id = mustWork(await composeExample(engine, "ps", "--quiet", "app"));
  const format = "{{slice .Name 1}}{{range $network, $_ := .NetworkSettings.Networks}} {{$network}}{{end}}";
  const [app = "", network = ""] = mustWork(await engine.docker("inspect", "--format", format, id)).split(
    " ",
  );
  return { app, network };
}

/**
 * Types the lines of a block of the README that call Docker, in the folder of the example and with its file, as the
 * README has it exported. The image is there already, as nothing can be built here.
 * @param heading of the section; its first block of shell is meant
 */
export async function typeFromReadme(engine: Engine, heading: string): Promise<void> {
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  const section = readme.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const block = /^```sh\n([\s\S]*?)^```$/m.exec(section)?.[1] ?? "";
  const commands = block.split("\n").filter((line) => line.startsWith("docker "));
  if (commands.length === 0) throw new Error(`the README has no command below ${heading}`);
  for (const command of commands)
    mustWork(await engine.dockerWith(inItsFolder, ...command.split(" ").slice(1)));
}

/** As the README has it exported. */
export const inItsFolder = { cwd: repository, env: { APP_IMAGE: "client:lab", COMPOSE_FILE: file } };

/** Takes it down as its user would. */
export async function endExample(engine: Engine): Promise<void> {
  mustWork(await composeExample(engine, "down", "--timeout", "10"));
}

function mustWork({ stdout, stderr, exitCode }: CommandResult): string {
  if (exitCode !== 0) throw new Error(`ended with ${exitCode}:\n${stdout}\n${stderr}`);
  return stdout.trim();
}

export interface Step {
  /** What is run in the app's container. */
  readonly argv: readonly string[];
  readonly exitCode: number;
  readonly says: RegExp;
}

const curl = ["curl", "-sS", "--max-time", "2"];
const quiet = ["-o", "/dev/null", "-w", "HTTP %{http_code} from %{remote_ip}\\n"];
// curl(1), EXIT CODES.
const [resolveFailed, timedOut] = [6, 28];

/** The main job: what the label allows works, and nothing else does. */
export const scenario: readonly Step[] = [
  {
    argv: [...curl, ...quiet, "http://www.example.com/"],
    exitCode: 0,
    says: /^HTTP 200 from 203\.0\.113\.11$/,
  },
  {
    argv: [...curl, ...quiet, "https://api.github.com/"],
    exitCode: 0,
    says: /^HTTP 200 from 198\.51\.100\.15$/,
  },
  { argv: [...curl, "http://api.github.com/"], exitCode: timedOut, says: /timed out/ },
  { argv: [...curl, "http://www.example.org/"], exitCode: resolveFailed, says: /Could not resolve host/ },
  { argv: [...curl, "http://203.0.113.30/"], exitCode: timedOut, says: /timed out/ },
  {
    argv: ["dig", "+nocmd", "+noall", "+comments", "exfiltrate.me.example.org"],
    exitCode: 0,
    says: /status: NXDOMAIN[\s\S]*EDE: 15 .*not in dockerwall\.allow/,
  },
];

/** What `stats` says of it afterwards. */
export function expectedStats({ app, network }: Example): readonly RegExp[] {
  const rows = [
    "www\\.example\\.com +\\d+ ✅",
    "api\\.github\\.com +\\d+ ✅",
    "www\\.example\\.org +\\d+ ❌",
    "exfiltrate\\.me\\.example\\.org +\\d+ ❌",
    "tcp:80 +198\\.51\\.100\\.15 +\\d+ packets? .*api\\.github\\.com",
    "tcp:80 +203\\.0\\.113\\.30 +\\d+ packets? .*no lookup",
  ];
  return [
    new RegExp(`^Network: ${network} \\(198\\.19\\.\\d+\\.0/\\d+\\)$`, "m"),
    ...rows.map((row) => new RegExp(`^ +198\\.19\\S+ +${app} +${row}`, "m")),
  ];
}
