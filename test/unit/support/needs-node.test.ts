import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const module = join(import.meta.dirname, "../../support/needs-node.ts");

/** Ends in the module, or after it. */
function startWith(version: string): { readonly status: number | null; readonly stderr: string } {
  const script = `Object.defineProperty(process.versions, "node", { value: ${JSON.stringify(version)} });
    await import(${JSON.stringify(module)});`;
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const args = ["--import", tsx, "--input-type=module", "--eval", script];
  return spawnSync(process.execPath, args, { encoding: "utf8" });
}

test("tests say in one sentence that Node is too old", () => {
  const { status, stderr } = startWith("20.20.2");
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^These tests need Node 24 or newer, and this is v\S+: run npm run test:one -- FILE, .*\n$/,
  );
});

test("tests begin with the Node that they need", () => {
  assert.deepEqual((({ status, stderr }) => ({ status, stderr }))(startWith("24.21.0")), {
    status: 0,
    stderr: "",
  });
});
