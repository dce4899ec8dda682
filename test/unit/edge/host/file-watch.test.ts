// A file that is written in parts is one change, when it is whole; others in its folder are none of its business.

import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FileWatch } from "../../../../src/edge/host/file-watch.ts";

test("a change is reported once the file is left alone, also one that only a look finds", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dockerwall-watch-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "policy.yml");
  let changed = Promise.withResolvers<void>();
  let count = 0;
  const failures: unknown[] = [];
  const onChange = (): void => {
    count += 1;
    changed.resolve();
    if (count === 1) throw new Error("broken");
  };
  using watch = new FileWatch(path, onChange, (error) => failures.push(error));
  writeFileSync(path, "one");
  watch.look();
  await changed.promise;
  // Nothing has changed since: no look tells of it again.
  watch.look();
  changed = Promise.withResolvers();
  watch.follow();
  appendFileSync(path, "two");
  await changed.promise;
  writeFileSync(join(folder, "other"), "x");
  await sleep(150);
  assert.ok(count <= 3, `${count} times`);
  assert.deepEqual(failures.map(String), ["Error: broken"]);
});
