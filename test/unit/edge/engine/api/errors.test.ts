import assert from "node:assert/strict";
import { test } from "node:test";
import { engineError, isSilence } from "../../../../../src/edge/engine/api/errors.ts";
import { DockerwallError } from "../../../../../src/errors.ts";

const cases: readonly (readonly [name: string, failure: object, code: string, words: RegExp])[] = [
  ["no socket", { code: "ENOENT" }, "ENGINE_UNREACHABLE", /no Docker socket at \/run\/d\.sock/],
  ["nobody behind it", { code: "ECONNREFUSED" }, "ENGINE_UNREACHABLE", /is not running/],
  ["no answer", { code: "ABORT_ERR" }, "ENGINE_UNREACHABLE", /in time when asked to list networks/],
  ["no right", { code: "EACCES" }, "NO_PRIVILEGE", /run as root/],
  ["a name that is taken", { statusCode: 409 }, "NETWORK_EXISTS", /refused to list networks/],
  ["a proxy", { statusCode: 403 }, "ENGINE_REFUSED", /a proxy in front of its socket must let/],
  ["a refusal", { statusCode: 500 }, "ENGINE_REFUSED", /refused to list networks: no$/],
];
for (const [name, failure, code, words] of cases) {
  test(name, () => {
    const cause = Object.assign(new Error("no\n"), failure);
    const error = engineError("list networks", "/run/d.sock", cause);
    assert.equal(error.code, code);
    assert.match(error.message, words);
    assert.equal(error.cause, cause);
    assert.equal(isSilence(error), code === "ENGINE_UNREACHABLE" && name === "no answer");
    assert.equal(engineError("something else", "", error), error);
    assert.ok(error instanceof DockerwallError);
  });
}
