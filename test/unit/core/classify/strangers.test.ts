import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Named,
  strangersInFile,
  strangersInOverrides,
} from "../../../../src/core/classify/strangers.ts";
import { groupOverrides } from "../../../../src/core/policy/override.ts";
import { noPolicyFile } from "../../../../src/core/policy/policy-file.ts";
import { newContainer } from "../../../support/topologies.ts";

const web = newContainer("web", "app");
const side = { ...newContainer("side", "app"), networkMode: "container:web" };
const guarded = [{ name: "app" }];

function named(change: Partial<Named["policy"]>): Named {
  const policy = { file: noPolicyFile, overrides: groupOverrides([]), nowMs: 10 };
  return { topology: { containers: [web, side] }, policy: { ...policy, ...change } };
}

describe("a name that nothing has", () => {
  it("is a warning in the policy file, with what to name instead", () => {
    const text = (names: readonly string[]): ReadonlyMap<string, string> =>
      new Map(names.map((name) => [name, "a.example.com"]));
    const file = { ...noPolicyFile, networks: text(["app", "ap"]), containers: text(["web", "wen", "side"]) };
    const found = strangersInFile(named({ file }), guarded);
    assert.deepEqual(found, [
      'policy file: there is no guarded network "ap"',
      'policy file: there is no container "wen"',
      'policy file: container "side" shares the network of another container; name that one',
    ]);
  });

  it("is one warning for all its overrides that have not ended", () => {
    const gone = { kind: "container", name: "gone" } as const;
    const overrides = groupOverrides([
      { target: { kind: "network", name: "app" }, entry: "a.example.com", endsAtMs: undefined },
      { target: gone, entry: "a.example.com", endsAtMs: undefined },
      { target: gone, entry: "!b.example.com", endsAtMs: 11 },
      { target: gone, entry: "c.example.com", endsAtMs: 10 },
    ]);
    const [sentence, ...others] = strangersInOverrides(named({ overrides }), guarded);
    assert.match(
      sentence ?? "",
      /^overrides: there is no container "gone" for a\.example\.com, !b\.example\.com;/,
    );
    assert.deepEqual(others, []);
  });
});
