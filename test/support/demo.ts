// `npm run demo`: the main job, live, on a private engine and a fake internet that come up and go away with it.
// What is shown is compose.example.yml as it is; on a machine with Docker, `docker compose up` is the same for real.

import { join } from "node:path";
import type { Outcome } from "./lab/command.ts";
import type { Engine } from "./lab/engine.ts";
import { type Lab, startLab } from "./lab/lab.ts";
import { repository } from "./lab/repository.ts";

const startedAt = performance.now();
const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  say(`… ${title}`);
  const result = await work();
  say(`✓ ${title} (${((performance.now() - from) / 1000).toFixed(1)} s)`);
  return result;
}

/** Shows a command as a user would type it, and what came of it. Throws when it did not end as it should. */
async function show(engine: Engine, expected: "works" | "fails", ...argv: string[]): Promise<void> {
  say(`\n$ docker ${argv.map((word) => (/[^\w./:=+-]/.test(word) ? `'${word}'` : word)).join(" ")}`);
  const outcome = await engine.docker(...argv);
  const text = [outcome.stdout, outcome.stderr].filter(Boolean).join("\n");
  if (text !== "") say(text.replaceAll(/^/gm, "  "));
  if ((outcome.exitCode === 0) !== (expected === "works"))
    throw new Error(`this should have ${expected === "works" ? "worked" : "failed"}`);
  say(expected === "works" ? "  → works" : `  → refused (exit code ${outcome.exitCode})`);
}

function mustWork(outcome: Outcome): void {
  if (outcome.exitCode !== 0) throw new Error(`${outcome.stdout}\n${outcome.stderr}`);
}

async function demonstrate(lab: Lab): Promise<void> {
  const engine = lab.engine("e28");
  const file = join(repository, "compose.example.yml");
  const compose = (...args: string[]): Promise<Outcome> =>
    engine.dockerWith({ cwd: repository, env: { APP_IMAGE: "client:lab" } }, "compose", "-f", file, ...args);
  mustWork(await engine.docker("tag", "dockerwall:lab", "dockerwall"));
  await step("docker compose -f compose.example.yml up --detach --wait", async () =>
    mustWork(await compose("up", "--no-build", "--detach", "--wait")),
  );
  const app = (await compose("ps", "--quiet", "app")).stdout.trim();
  const name = (await engine.docker("inspect", "--format", "{{slice .Name 1}}", app)).stdout.trim();
  const curl = ["exec", name, "curl", "-sS", "--max-time", "3"];
  const quiet = ["-o", "/dev/null", "-w", "HTTP %{http_code} from %{remote_ip}\\n"];

  say('\nThe network of `app` says  dockerwall.allow: "*.example.com api.github.com:443"');
  await show(engine, "works", ...curl, ...quiet, "http://www.example.com/");
  await show(engine, "works", ...curl, ...quiet, "https://api.github.com/");
  await show(engine, "fails", ...curl, "http://api.github.com/");
  await show(engine, "fails", ...curl, "http://www.example.org/");
  await show(engine, "fails", ...curl, "http://203.0.113.30/");
  await show(
    engine,
    "works",
    "exec",
    name,
    "dig",
    "+nocmd",
    "+noall",
    "+comments",
    "exfiltrate.me.example.org",
  );
  await show(engine, "works", "exec", "dockerwall", "stats");
}

say(
  "Dockerwall, live. The first run downloads and unpacks a Docker engine and builds the image; the next is quick.\n",
);
const lab = await step(
  "a private Docker engine 28, a fake internet, and the image built from the Dockerfile",
  () => startLab({ engines: ["e28"], product: true }),
);
try {
  await demonstrate(lab);
  say(
    `\nThat is the main job. ${((performance.now() - startedAt) / 1000).toFixed(0)} s in all; nothing of it stays.`,
  );
} finally {
  await lab.down();
}
