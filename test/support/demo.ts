// `npm run demo`: the main job, live, on a private engine and a fake internet that come up and go away with it.
// What is shown is compose.example.yml as it is; on a machine with Docker, `docker compose up` is the same for real.

import { exampleLabel, expectedStats, scenario, startExample } from "./example.ts";
import type { Engine } from "./lab/engine.ts";
import { type Lab, startLab } from "./lab/lab.ts";

const startedAt = performance.now();
const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  say(`… ${title}`);
  const result = await work();
  say(`✓ ${title} (${((performance.now() - from) / 1000).toFixed(1)} s)`);
  return result;
}

interface Expected {
  readonly exitCode: number;
  readonly says: readonly RegExp[];
}

/** Shows a command as a user would type it, and what came of it. Throws when it did not end as it should. */
async function show(engine: Engine, { exitCode, says }: Expected, ...argv: string[]): Promise<void> {
  say(`\n$ docker ${argv.map((word) => (/[^\w./:=+-]/.test(word) ? `'${word}'` : word)).join(" ")}`);
  const outcome = await engine.docker(...argv);
  const text = [outcome.stdout, outcome.stderr].filter(Boolean).join("\n");
  if (text !== "") say(text.replaceAll(/^/gm, "  "));
  if (outcome.exitCode !== exitCode)
    throw new Error(`this should have ended with ${exitCode}, and did with ${outcome.exitCode}`);
  for (const saying of says) if (!saying.test(text)) throw new Error(`this should have said ${saying}`);
  say(exitCode === 0 ? "  → works" : `  → refused (exit code ${exitCode})`);
}

async function demonstrate(lab: Lab): Promise<void> {
  const engine = lab.engine("e28");
  const example = await step("docker compose -f compose.example.yml up --detach --wait", () =>
    startExample(engine),
  );
  say(`\nThe network of \`app\` says  dockerwall.allow: "${exampleLabel}"`);
  for (const { argv, exitCode, says } of scenario)
    await show(engine, { exitCode, says: [says] }, "exec", example.app, ...argv);
  await show(engine, { exitCode: 0, says: expectedStats(example) }, "exec", "dockerwall", "stats");
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
