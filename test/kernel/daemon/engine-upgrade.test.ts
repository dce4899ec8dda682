// An engine with live-restore that is upgraded under the daemon: containers and daemon run on, and reports
// describe the new one.

import assert from "node:assert/strict";
import { it } from "node:test";
import { daemonEnforces, mountSys, startDaemon } from "../../support/daemon-process.ts";
import { startFakeEngine } from "../../support/fake-engine.ts";
import { until } from "../../support/lab/command.ts";
import { enterNamespaces } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
mountSys();

it("status tells the version of the engine that answers now", async () => {
  await using engine = await startFakeEngine();
  await using daemon = startDaemon(engine);
  await daemonEnforces(daemon);
  assert.deepEqual((await daemon.status()).engine, { version: "28.5.2", apiVersion: "1.51" });
  engine.version = "29.1.0";
  engine.api = { least: "1.44", most: "1.52" };
  const asked = engine.asked.length;
  engine.breakOff();
  await until("the reading of the next engine", 30_000, () =>
    engine.asked.slice(asked).some((path) => path.endsWith("/containers/json?all=true")) ? true : undefined,
  );
  const expected = { version: "29.1.0", apiVersion: "1.52" };
  const told = await until("the version of the next engine", 10_000, async () => {
    const { engine: said } = await daemon.status();
    return said?.version === expected.version ? said : undefined;
  });
  assert.deepEqual(told, expected);
  assert.match(daemon.log(), /"version":"29\.1\.0".*"engine has another version"/);
});
