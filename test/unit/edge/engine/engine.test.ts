// The engine behind its socket: what it answers, and that nobody waits for one that is starting, or hangs.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { awaitEngine } from "../../../../src/edge/engine/await-engine.ts";
import { connectEngine, type Engine } from "../../../../src/edge/engine/engine.ts";
import { DockerwallError } from "../../../../src/errors.ts";

/** For an engine that never answers. */
const short = { answerWithinMs: 50, changeWithinMs: 50 };
/** For one that must answer in time now and then, on a busy machine too. */
const middling = { answerWithinMs: 500, changeWithinMs: 500 };
const long = { answerWithinMs: 20_000, changeWithinMs: 20_000 };

async function withEngine(
  answer: RequestListener,
  work: (engine: Engine) => Promise<void>,
  limits = long,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "engine-"));
  const socket = join(folder, "engine.sock");
  const server = createServer(answer).listen(socket);
  await once(server, "listening");
  try {
    await work(connectEngine(socket, () => undefined, limits));
  } finally {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  }
}

const requests: Readonly<Record<string, (engine: Engine) => Promise<unknown>>> = {
  "its version": (engine) => engine.version(),
  "the networks": (engine) => engine.listNetworks(),
  "a network": (engine) => engine.inspectNetwork("web"),
  "the containers": (engine) => engine.listContainers(),
  "a container": (engine) => engine.inspectContainer("app", AbortSignal.timeout(50)),
  "a new network": (engine) => engine.createBridgeNetwork("web", {}),
  "the end of a network": (engine) => engine.removeNetwork("web"),
  "its firewall": (engine) => engine.firewallDriver(),
  "whether it keeps containers": (engine) => engine.keepsContainers(),
  "its events": (engine) =>
    engine.followEvents(
      () => assert.fail("nothing is open"),
      () => undefined,
      new AbortController().signal,
    ),
};

for (const [what, request] of Object.entries(requests)) {
  test(`a silent engine is not waited for without an end: ${what}`, async () => {
    await withEngine(
      () => undefined,
      async (engine) => {
        await assert.rejects(request(engine), (error: unknown) => {
          assert.ok(error instanceof DockerwallError);
          assert.equal(error.code, "ENGINE_UNREACHABLE");
          assert.match(error.message, /did not answer in time/);
          return true;
        });
      },
      short,
    );
  });
}

test("events that are open stay open, however long nothing happens", async () => {
  await withEngine(
    ({ url }, response) => {
      response.writeHead(200).flushHeaders();
      if (url?.includes("/events") !== true) {
        response.end("{}");
        return;
      }
      setTimeout(
        () => response.end('{"Type":"network","Action":"create","Actor":{"ID":"n1"}}\n'),
        4 * middling.answerWithinMs,
      );
    },
    async (engine) => {
      const seen: string[] = [];
      await engine.followEvents(
        () => seen.push("open"),
        ({ action, id }) => seen.push(`${action} ${id}`),
        new AbortController().signal,
      );
      assert.deepEqual(seen, ["open", "create n1"]);
    },
    middling,
  );
});

test("the wait for an engine that is starting is reported", async () => {
  let asked = 0;
  await withEngine(
    (_request, response) => {
      asked += 1;
      if (asked > 2) response.end('{"Version":"28.5.2","ApiVersion":"1.51"}');
    },
    async (engine) => {
      const told: string[] = [];
      const version = await awaitEngine(engine, (problem) => told.push(problem));
      assert.deepEqual(version, { version: "28.5.2", apiVersion: "1.51" });
      assert.equal(told.length, 2);
      assert.match(told[0] ?? "", /did not answer in time when asked to tell its version/);
    },
    middling,
  );
});

test("an engine that is not there, or refuses, is not waited for", async () => {
  await withEngine(
    (_request, response) => response.writeHead(403).end("{}"),
    async (engine) => {
      await assert.rejects(
        awaitEngine(engine, () => assert.fail("it is not silent")),
        /refused to tell its version/,
      );
    },
  );
  const gone = connectEngine("/nonexistent/engine.sock", () => undefined, long);
  await assert.rejects(
    awaitEngine(gone, () => assert.fail("it is not silent")),
    /no Docker socket/,
  );
});

test("a network is not taken for gone when no version can be agreed on", async () => {
  await withEngine(
    (_request, response) => response.writeHead(404).end("{}"),
    async (engine) => {
      await assert.rejects(engine.inspectNetwork("n1"), { code: "ENGINE_REFUSED" });
      await assert.rejects(engine.inspectContainer("c1", AbortSignal.timeout(20_000)), {
        code: "ENGINE_REFUSED",
      });
    },
  );
});

test("a network is read by its id; one that is gone is none", async () => {
  await withEngine(
    ({ url }, response) => {
      const isThere = url?.endsWith("/networks/n1") || url?.endsWith("/version");
      response.writeHead(isThere ? 200 : 404, { "content-type": "application/json" });
      response.end(isThere ? '{"Id":"n1","Name":"web","Driver":"bridge"}' : '{"message":"no such network"}');
    },
    async (engine) => {
      assert.equal((await engine.inspectNetwork("n1"))?.name, "web");
      assert.equal(await engine.inspectNetwork("n2"), undefined);
    },
  );
});
