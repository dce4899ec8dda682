// Which version of its API an engine is asked by: one that both know, in every path, and a sentence where there is none.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectEngine, type Engine } from "../../../../../src/edge/engine/engine.ts";
import { type EngineApi, startFakeEngine } from "../../../../support/fake-engine.ts";

const nowhere = (): undefined => undefined;

/** Everything that reads, each once. */
async function readAll(engine: Engine): Promise<void> {
  await engine.version();
  await engine.listNetworks();
  await engine.inspectNetwork("app");
  await engine.listContainers();
  await engine.inspectContainer("web", AbortSignal.timeout(5_000));
  await engine.firewallDriver();
  const stop = new AbortController();
  const open = Promise.withResolvers<void>();
  engine.followEvents(open.resolve, () => assert.fail("an event"), stop.signal).catch(open.reject);
  await open.promise;
  stop.abort();
}

describe("the version of the API", () => {
  const cases: readonly [engine: string, api: EngineApi, spoken: string][] = [
    ["19.03", { least: "1.12", most: "1.40" }, "v1.40"],
    ["20.10", { least: "1.12", most: "1.41" }, "v1.41"],
    ["26.1", { least: "1.24", most: "1.45" }, "v1.45"],
    ["28.5", { least: "1.24", most: "1.51" }, "v1.51"],
    ["29.0", { least: "1.44", most: "1.52" }, "v1.52"],
    ["29.3", { least: "1.40", most: "1.54" }, "v1.54"],
    ["29.10", { least: "1.40", most: "1.57" }, "v1.57"],
    ["one with `min-api-version` 1.50", { least: "1.50", most: "1.54" }, "v1.54"],
    ["one with `min-api-version` 1.57", { least: "1.57", most: "1.57" }, "v1.57"],
    ["one of later", { least: "1.44", most: "1.63" }, "v1.57"],
  ];
  for (const [name, api, spoken] of cases) {
    it(`of engine ${name} is ${spoken}, in every path`, async () => {
      await using fake = await startFakeEngine(api);
      await readAll(connectEngine(fake.socket, nowhere));
      assert.ok(fake.asked.every((path) => path.startsWith("/v1.")));
      const asked = fake.asked
        .map((path) => path.replace(/\?.*/, ""))
        .filter((path) => !path.endsWith("/version"));
      const paths = ["networks", "networks/app", "containers/json", "containers/web/json", "info", "events"];
      assert.deepEqual(
        asked,
        paths.map((path) => `/${spoken}/${path}`),
      );
    });
  }

  const refused: readonly [engine: string, api: EngineApi, sentence: RegExp][] = [
    [
      "18.09",
      { least: "1.12", most: "1.39" },
      /^the Docker engine speaks its API up to version 1\.39, and Dockerwall 1\.40 to 1\.57; use a newer engine$/,
    ],
    [
      "one of long after",
      { least: "1.58", most: "1.63" },
      /^the Docker engine speaks its API from version 1\.58 on, and Dockerwall 1\.40 to 1\.57; use a newer Dockerwall, or a lower `min-api-version` in the engine's daemon\.json$/,
    ],
  ];
  for (const [name, api, sentence] of refused) {
    it(`of engine ${name} is none that is spoken`, async () => {
      await using fake = await startFakeEngine(api);
      const engine = connectEngine(fake.socket, nowhere);
      await assert.rejects(engine.version(), { code: "ENGINE_REFUSED", message: sentence });
      await assert.rejects(engine.listNetworks(), { code: "ENGINE_REFUSED", message: sentence });
    });
  }

  it("is agreed on anew with an engine that does not speak it any more", async () => {
    await using fake = await startFakeEngine({ least: "1.40", most: "1.54" });
    const engine = connectEngine(fake.socket, nowhere);
    await engine.listNetworks();
    for (const [api, spoken] of [
      [{ least: "1.24", most: "1.51" }, "/v1.51/networks"],
      [{ least: "1.53", most: "1.57" }, "/v1.57/networks"],
    ] as const) {
      fake.api = api;
      await assert.rejects(engine.listNetworks(), { code: "ENGINE_REFUSED" });
      await engine.listNetworks();
      assert.equal(fake.asked.at(-1)?.replace(/\?.*/, ""), spoken);
    }
  });

  it("is agreed on by what a proxy in between has left of the answer", async () => {
    await using fake = await startFakeEngine({ least: "1.24", most: "1.41" });
    fake.saysVersion = false;
    const engine = connectEngine(fake.socket, nowhere);
    await engine.listNetworks();
    assert.equal(fake.asked.at(-1)?.replace(/\?.*/, ""), "/v1.41/networks");
  });
});
