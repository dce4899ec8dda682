// The main job as Compose brings it: the example that the README shows, and services that call each other by name.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { curl, inside, run } from "../../support/dockerwall.ts";
import { type Example, expectedStats, scenario } from "../../support/example.ts";
import type { Lab } from "../../support/lab/lab.ts";

/** What the demo shows, in the app's container. */
export async function playExample(lab: Lab, name: string, example: Example): Promise<void> {
  const engine = lab.engine(name);
  const refused = "dst port 80 and (dst host 198.51.100.15 or dst host 203.0.113.30)";
  const capture = await lab.capture(name, refused);
  for (const { argv, exitCode, says } of scenario) {
    const outcome = await inside(engine, example.app, ...argv);
    const text = `${outcome.stdout}${outcome.stderr}`;
    assert.equal(outcome.exitCode, exitCode, `${argv.join(" ")}\n${text}`);
    assert.match(text, says);
  }
  assert.deepEqual(await capture.stop(), []);
  const stats = await run(engine, "exec", "dockerwall", "stats");
  for (const row of expectedStats(example)) assert.match(stats, row);
}

/** Two services on a guarded network of their own: one finds the other by its name, and nobody else hears of it. */
export async function callByServiceName(lab: Lab, name: string): Promise<void> {
  const engine = lab.engine(name);
  const file = `${lab.shared}/${name}-services.yml`;
  await writeFile(
    file,
    `services:
  front: { image: "client:lab" }
  back: { image: "client:lab", command: [python3, -m, http.server, "8000"] }
networks:
  default: { labels: { dockerwall.allow: "www.example.com" } }
`,
  );
  const project = ["-p", "services"];
  const up = await engine.compose(file, ...project, "up", "--detach", "--wait");
  assert.equal(up.exitCode, 0, up.stderr);
  const retry = ["--retry", "5", "--retry-connrefused"];
  for (const url of ["http://back:8000/", "http://back.services_default:8000/", "http://www.example.com/"]) {
    const called = await engine.compose(file, ...project, "exec", "-T", "front", ...curl(...retry, url));
    assert.equal(called.exitCode, 0, `${url}\n${called.stderr}`);
  }
  const asked = (await lab.internet.queries()).filter(
    (query) => query.from === engine.link.host && query.name.startsWith("back"),
  );
  assert.deepEqual(asked, []);
  const down = await engine.compose(file, ...project, "down", "-t", "0");
  assert.equal(down.exitCode, 0, down.stderr);
}
