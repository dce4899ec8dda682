// Behind which socket the engine is looked for: after a restart of the engine elsewhere too, but never round a proxy.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defaultDockerSocket, engineFinder, openSandboxFolder } from "../../../../src/edge/engine/dockerd.ts";
import { connectEngine } from "../../../../src/edge/engine/engine.ts";

/** How often a server at another socket is asked for networks by two attempts at one where nobody listens. */
async function askedElsewhere(findSocket: (elsewhere: string) => string | undefined): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "engine-"));
  const elsewhere = join(folder, "engine.sock");
  let asked = 0;
  const server = createServer((question, answer) => {
    if (question.url?.endsWith("/networks") === true) asked += 1;
    answer.end("[]");
  }).listen(elsewhere);
  await once(server, "listening");
  try {
    const engine = connectEngine(join(folder, "gone.sock"), () => findSocket(elsewhere));
    for (let attempt = 0; attempt < 2; attempt++) await engine.listNetworks().catch(() => undefined);
  } finally {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  }
  return asked;
}

test("engine: one that was started anew is found where it is now", async () => {
  assert.equal(await askedElsewhere((elsewhere) => elsewhere), 1);
});

test("engine: with a socket of its own, a proxy's for example, it is looked for nowhere else", async () => {
  assert.equal(await askedElsewhere(engineFinder("/run/proxy/docker.sock")), 0);
  assert.notEqual(engineFinder(defaultDockerSocket), engineFinder("/run/proxy/docker.sock"));
});

test("engine: one that has just ended has no folder of sandboxes, which ends nothing", () => {
  const { pid } = spawnSync("true");
  const found = openSandboxFolder(pid);
  assert.match(
    "problem" in found ? found.problem : "",
    /^the engine's folder of sandboxes \/proc\/[0-9]+\/root/,
  );
});
