import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DockerClient } from "../../../../src/edge/engine/api/package.ts";

test("the engine's package is loaded without ssh and gRPC, and speaks to a socket", async (t) => {
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  assert.ok(loaded.some((path) => path.includes("/dockerode/")));
  assert.deepEqual(
    loaded.filter((path) => /\/(ssh2|@grpc)\//.test(path)),
    [],
  );
  const folder = mkdtempSync(join(tmpdir(), "dockerwall-package-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const socketPath = join(folder, "engine.sock");
  const server = createServer((_, response) => response.end("OK"));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  t.after(() => server.close());
  assert.equal(String(await new DockerClient({ socketPath }).ping()), "OK");
});
