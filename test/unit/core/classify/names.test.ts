// Overrides and the policy file go by name. A name that nothing has (any more) is a warning: what it took away is open.

import assert from "node:assert/strict";
import { test } from "node:test";
import { nothingFound } from "../../../../src/core/classify/bridge-ports.ts";
import { classify } from "../../../../src/core/classify/networks.ts";
import { createListStore } from "../../../../src/core/policy/list-store.ts";
import { groupOverrides, type Override } from "../../../../src/core/policy/override.ts";
import { noPolicyFile } from "../../../../src/core/policy/policy-file.ts";
import { presets } from "../../../support/policies.ts";
import { bridgeNetwork, runningContainer } from "../../../support/topologies.ts";

const app = { ...bridgeNetwork("app", "198.18.0.0/24"), labels: { "dockerwall.allow": "api.example.com" } };

function override(kind: "network" | "container", name: string, entry: string): Override {
  return { target: { kind, name }, entry, endsAtMs: undefined };
}

function warningsOf(...overrides: readonly Override[]): readonly string[] {
  return classify({
    topology: { networks: [app], containers: [runningContainer("web", "app", "198.18.0.2")] },
    bridges: ["br-app"],
    held: [],
    quarantine: new Set(),
    policy: {
      store: createListStore(presets),
      file: noPolicyFile,
      overrides: groupOverrides(overrides),
      nowMs: 0,
    },
    foreign: new Set(),
    lost: new Set(),
    foundOn: () => nothingFound,
    own: undefined,
  }).warnings;
}

test("overrides for those who are there are no news", () => {
  assert.deepEqual(
    warningsOf(override("network", "app", "!a.example.com"), override("container", "web", "b.org")),
    [],
  );
});

test("overrides for a container that was renamed, and a network that is gone", () => {
  assert.deepEqual(
    warningsOf(
      override("container", "web-old", "!api.example.com"),
      override("container", "web-old", "b.example.com"),
      override("network", "gone", "!api.example.com"),
    ),
    [
      'overrides: there is no container "web-old" for !api.example.com, b.example.com; if it was renamed, they no longer apply to it',
      'overrides: there is no guarded network "gone" for !api.example.com; if it was renamed, they no longer apply to it',
    ],
  );
});

test("an override that does nothing is a warning, as the classifying of every picture finds it", () => {
  const found = warningsOf(
    override("network", "app", "!www.example.com"),
    override("container", "web", "www.example.com"),
    override("container", "web", "!198.18.0.0/24"),
  );
  assert.equal(found.length, 2);
  assert.match(found[0] ?? "", /^container "web", command www\.example\.com: it grants nothing/);
  assert.match(found[1] ?? "", /^container "web", command !198\.18\.0\.0\/24: .* has no effect/);
});
