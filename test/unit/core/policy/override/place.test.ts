// The place of an override is read back, and its command is what a shell would hand over.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import {
  overrideAt,
  type PlacedOverride,
  placeOfOverride,
  renderCommand,
} from "../../../../../src/core/policy/override/place.ts";

const overrides: readonly PlacedOverride[] = [
  { target: { kind: "network", name: "app" }, entry: "api.example.com:443/tcp" },
  { target: { kind: "container", name: "project-app-1" }, entry: "!*.example.com" },
  { target: { kind: "network", name: 'my "net", command x' }, entry: "!@debian" },
  { target: { kind: "network", name: "it's $HOME" }, entry: "[2001:db8::/32]:443" },
];

describe("the place of an override", () => {
  for (const override of overrides) {
    const place = placeOfOverride(override);
    it(`${place} is read back`, () => {
      assert.deepEqual(overrideAt(place), override);
      assert.deepEqual(overrideAt(`${place}, as it was before`), override);
    });
    it(`${place}: the command is one that a shell takes for these words`, () => {
      const words = execFileSync("sh", ["-c", `printf '%s\\n' ${renderCommand(override)}`], {
        encoding: "utf8",
      });
      const { target, entry } = override;
      const verb = entry.startsWith("!") ? "deny" : "allow";
      assert.equal(
        words,
        `docker\nexec\ndockerwall\n${verb}\n${target.kind}:${target.name}\n${entry.replace(/^!/, "")}\n`,
      );
    });
  }
  for (const place of [
    'network "app", label dockerwall.allow',
    'network "app", policy file',
    "policy file",
    "",
  ])
    it(`${JSON.stringify(place)} is none`, () => assert.equal(overrideAt(place), undefined));
});
