// What an engine that was exchanged says of itself: read when it may differ, until it could be read.

import assert from "node:assert/strict";
import { it } from "node:test";
import { createEngineVersion, type Version } from "../../../../src/control/daemon/engine-version.ts";

const first: Version = { version: "28.5.2", apiVersion: "1.51" };
const next: Version = { version: "29.1.0", apiVersion: "1.52" };

function start() {
  const logged: unknown[] = [];
  const asked: PromiseWithResolvers<Version>[] = [];
  const keeps: (boolean | Error)[] = [];
  const version = createEngineVersion({
    engine: {
      version() {
        const answer = Promise.withResolvers<Version>();
        asked.push(answer);
        return answer.promise;
      },
      async keepsContainers() {
        const answer = keeps.shift() ?? assert.fail("not asked");
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
    log: { info: (message, fields) => logged.push([message, fields]) },
    first,
  });
  return { version, asked, keeps, logged };
}

it("a version is read again only once it may differ, and again until it could be", async () => {
  const { version, asked, keeps, logged } = start();
  keeps.push(false, false);
  await version.follow();
  assert.equal(asked.length, 0);
  version.mayDiffer();
  const failing = version.follow();
  asked[0]?.reject(new Error("it does not answer"));
  await failing;
  assert.deepEqual(version.current(), first);
  const reading = version.follow();
  asked[1]?.resolve(next);
  await reading;
  assert.deepEqual(version.current(), next);
  assert.deepEqual(logged, [["engine has another version", { version: "29.1.0" }]]);
  await version.follow();
  assert.equal(asked.length, 2);
});

it("what was asked of an engine before the last one came does not count", async () => {
  const { version, asked, keeps } = start();
  keeps.push(false, false);
  version.mayDiffer();
  const early = version.follow();
  version.mayDiffer();
  const late = version.follow();
  asked[1]?.resolve(next);
  await late;
  asked[0]?.resolve({ version: "27.0.0", apiVersion: "1.46" });
  await early;
  assert.deepEqual(version.current(), next);
});

it("whether containers live on is read of the first one, and again of each that may have come", async () => {
  const { version, asked, keeps } = start();
  assert.equal(version.keepsContainers(), false);
  keeps.push(new Error("it does not answer"), true);
  await version.follow();
  assert.equal(version.keepsContainers(), false);
  await version.follow();
  assert.equal(version.keepsContainers(), true);
  await version.follow();
  keeps.push(false);
  version.mayDiffer();
  const reading = version.follow();
  asked[0]?.resolve(first);
  await reading;
  assert.equal(version.keepsContainers(), false);
});
