// The example is tried and taken down by `docker compose down` alone: no network without a label is dead afterwards, old
// or new, while one with a label that stays is as closed as it was.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { chosen } from "../support/chosen.ts";
import {
  client,
  curl,
  deploy,
  enforcing,
  fails,
  network,
  rights,
  run,
  succeeds,
} from "../support/dockerwall.ts";
import { endExample, inItsFolder, startExample, typeFromReadme } from "../support/example.ts";
import type { CommandOptions } from "../support/lab/command.ts";
import type { Engine } from "../support/lab/engine.ts";
import { type Lab, startLab } from "../support/lab/lab.ts";
import { afterwards, inExample, inProject, project, type TypedCommand } from "../support/readme-commands.ts";

const engines = chosen(["e20", "e26", "e28"] as const);
const anywhere = curl("http://203.0.113.30/");

let lab: Lab;
before(async () => {
  lab = await startLab({ engines, product: true });
});
after(async () => {
  await lab?.down();
});

describe("a trial that is over", { concurrency: true }, () => {
  for (const name of engines) describe(name, { concurrency: 1 }, () => isOver(name));
});

function isOver(name: string): void {
  it("leaves no network closed that nobody labelled", async () => {
    const engine = lab.engine(name);
    await network(engine, "old");
    await client(engine, "before", "old");
    await startExample(engine);
    await network(engine, "stays", "www.example.com");
    await endExample(engine);

    await network(engine, "new");
    await client(engine, "after", "new");
    await client(engine, "guarded", "stays");
    for (const container of ["before", "after"]) await succeeds(engine, container, ...anywhere);
    await fails(engine, "guarded", ...anywhere);
  });

  it("begins and ends as the README says", async () => {
    const engine = lab.engine(name);
    await typeFromReadme(engine, "Sixty seconds");
    const app = await run(engine, "ps", "--filter", "label=com.docker.compose.service=app", "--quiet");
    await succeeds(engine, app, ...curl("http://www.example.com/"));
    await fails(engine, app, ...curl("http://www.example.org/"));
    await typeAll(engine, inItsFolder, inExample);
    const cwd = join(lab.shared, name, project.name);
    await mkdir(cwd, { recursive: true });
    await writeFile(join(cwd, "compose.yml"), project.compose);
    await typeAll(engine, { cwd }, inProject);
    await run(engine, "rm", "-f", `${project.name}-web-1`);
    await run(engine, "network", "rm", `${project.name}_default`, "shared", "prepared");
    await typeFromReadme(engine, "Undo");
    await typeAll(engine, { cwd }, afterwards);
    await network(engine, "afterwards");
    await client(engine, "open", "afterwards");
    for (const container of ["open", "guarded"]) await succeeds(engine, container, ...anywhere);
    assert.equal(await run(engine, "ps", "--all", "--quiet", "--filter", "name=dockerwall"), "");
  });

  it("holds new networks when a container is guarded and the daemon is stopped", async () => {
    const engine = lab.engine(name);
    await deploy(engine);
    await run(engine, "stop", "dockerwall");
    await network(engine, "held");
    await client(engine, "waits", "held");
    await fails(engine, "waits", ...anywhere);
    await run(engine, "start", "dockerwall");
    await succeeds(engine, "waits", ...curl("--retry", "5", "--retry-all-errors", "http://203.0.113.30/"));
    await enforcing(engine);
    await run(engine, "exec", "dockerwall", "dockerwall", "uninstall");
  });
}

/** A privileged container gets every capability from 20.10, which newer engines leave out where they have none to give. */
function possible(engine: Engine, command: string): string {
  return engine.kind === "e20" && lacksCapabilities()
    ? command.replace("--privileged", rights.join(" "))
    : command;
}

/** Whether the machine that runs the tests has given up one for good, as some virtual machines have. */
function lacksCapabilities(): boolean {
  const bounding = /^CapBnd:\t(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
  return BigInt(`0x${bounding}`) !== (1n << BigInt(last + 1)) - 1n;
}

/** As at a terminal, one after the other. */
async function typeAll(
  engine: Engine,
  options: CommandOptions,
  commands: readonly TypedCommand[],
): Promise<void> {
  const wrong: string[] = [];
  for (const { shown, typed = shown, exitCode = 0, says = /^/ } of commands) {
    const outcome = await engine.execWith(options, "sh", "-c", possible(engine, typed));
    if (outcome.exitCode !== exitCode || !says.test(outcome.stdout))
      wrong.push(`$ ${typed}\n${outcome.stdout}\n${outcome.stderr}\n${outcome.exitCode}`);
  }
  assert.deepEqual(wrong, [], wrong.join("\n"));
}
