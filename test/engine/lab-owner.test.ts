// A lab outlives the process that started it by no more than the next command that looks for such.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { assertUntouched, readMachineState } from "../support/host-state.ts";
import { command } from "../support/lab/command.ts";
import { repository } from "../support/lab/repository.ts";
import { leftovers } from "../support/lab/run-end.ts";

test("a lab whose owner was killed is removed by lab:down as a whole", async () => {
  const was = await readMachineState();
  const argv = ["--import", "tsx", join(import.meta.dirname, "../support/doomed-lab.ts")];
  const owner = spawn(process.execPath, argv, { cwd: repository, stdio: ["ignore", "pipe", "inherit"] });
  const { value: said } = await owner.stdout[Symbol.asyncIterator]().next();
  const name = String(said).trim();
  assert.match(name, /^dwlab-\w+$/);
  owner.kill("SIGKILL");
  await once(owner, "exit");
  assert.notDeepEqual(leftovers(name), []);
  const down = await command(["npm", "run", "--silent", "lab:down"], { cwd: repository });
  assert.match(down, new RegExp(`^ended .*${name}`));
  assert.deepEqual(leftovers(name), []);
  assertUntouched(was, await readMachineState());
});
