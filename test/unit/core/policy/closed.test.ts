// A list that takes something away and cannot be read: whatever others grant, nothing is allowed.

import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { gatherLists, onlyLabels } from "../../../../src/core/classify/gather.ts";
import { parseAddress } from "../../../../src/core/model/address.ts";
import { decidePacket } from "../../../../src/core/policy/decide/packet.ts";
import type { Policy } from "../../../../src/core/policy/decide/policy.ts";
import { decideName } from "../../../../src/core/policy/decide.ts";
import { compileList } from "../../../../src/core/policy/entry-list.ts";
import { createListStore } from "../../../../src/core/policy/list-store.ts";
import { followPolicyFile } from "../../../../src/edge/host/policy-file.ts";
import { presets } from "../../../support/policies.ts";

const destination = parseAddress("203.0.113.7") ?? assert.fail();

function allows(policy: Policy): boolean {
  const name = decideName(policy, "www.example.com", 0).allowed;
  const packet = decidePacket(
    policy,
    { destination, ipProtocol: 6, port: 443 },
    ["www.example.com"],
    0,
  ).allowed;
  assert.equal(name, packet);
  return name;
}

describe("a label of a container, on a network that allows www.example.com", () => {
  const cases: readonly [label: string, allowed: boolean, told: RegExp][] = [
    ["!www.example.org", true, /^$/],
    ["*", true, /it allows nothing until you correct it$/],
    ["!*", false, /nothing at all is allowed until you correct it/],
    ["!www.example.org a..b", false, /nothing at all is allowed until you correct it/],
  ];
  for (const [label, allowed, told] of cases) {
    it(label, () => {
      const sources = onlyLabels(createListStore(presets), 0);
      const network = gatherLists(
        { kind: "network", name: "app", id: "0123" },
        "www.example.com 203.0.113.0/24",
        sources,
      );
      const { lists, problems } = gatherLists({ kind: "container", name: "web", id: "4567" }, label, sources);
      const policy = { network: "app", lists: [...network.lists, ...lists].map(compileList) };
      assert.equal(allows(policy), allowed);
      assert.match(problems.join("\n"), told);
    });
  }
});

describe("a policy file", () => {
  /** What is allowed with these texts one after the other, and the last report. */
  async function follow(
    ...texts: readonly (string | undefined)[]
  ): Promise<{ allowed: boolean; told: string }> {
    const folder = mkdtempSync(join(tmpdir(), "dockerwall-policy-"));
    const path = join(folder, "policy.yml");
    const write = (text: string | undefined): void => {
      rmSync(path, { force: true });
      if (text === undefined) return;
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    };
    let told = "";
    let news = Promise.withResolvers<void>();
    const [first, ...later] = texts;
    write(first);
    using watch = followPolicyFile({
      path,
      chosenBy: undefined,
      builtIn: presets,
      onWarning: () => undefined,
      onChange: () => undefined,
      onProblem: (problem) => {
        told = problem ?? "";
        news.resolve();
      },
    });
    for (const text of later) {
      news = Promise.withResolvers();
      write(text);
      await news.promise;
    }
    const sources = { ...onlyLabels(createListStore(presets), 0), file: watch.current() };
    const { lists } = gatherLists({ kind: "network", name: "app", id: "0123" }, "www.example.com", sources);
    rmSync(folder, { recursive: true });
    return { allowed: allows({ network: "app", lists: lists.map(compileList) }), told };
  }
  const takes = "networks: {app: '!www.example.com'}";
  const cases: readonly [
    title: string,
    texts: readonly (string | undefined)[],
    allowed: boolean,
    told: RegExp,
  ][] = [
    ["that is not there", [undefined], true, /^$/],
    ["that grants and is bad", ["networks: {app: '*'}"], true, /nothing of it is in force/],
    [
      "that may take away and is bad",
      ["networks: {app: '!* a..b'}"],
      false,
      /nothing is allowed on any network/,
    ],
    ["that is corrected", ["networks: {app: '!*'}", "networks: {app: 'a.example.org'}"], true, /^$/],
    ["that takes away and goes bad", [takes, "networks: ["], false, /its last good version stays in force/],
    [
      "that takes away and is gone",
      [takes, undefined],
      false,
      /it is gone; its last good version stays in force/,
    ],
    [
      "that is gone and comes back empty",
      [takes, undefined, ""],
      false,
      /it has no content.*its last good version stays in force/,
    ],
    ["that is gone and comes back with nothing in it", [takes, undefined, "{}"], true, /^$/],
    ["that is closed and emptied", ["networks: {app: '!*'}", ""], false, /nothing is allowed on any network/],
  ];
  for (const [title, texts, allowed, told] of cases) {
    it(title, async () => {
      const result = await follow(...texts);
      assert.equal(result.allowed, allowed);
      assert.match(result.told, told);
    });
  }

  it("that is written in place and in parts is taken when it is whole", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dockerwall-policy-"));
    const path = join(folder, "policy.yml");
    const whole = "networks: {app: a.example.org}\ncontainers: {web: '!a.example.org'}\n";
    writeFileSync(path, whole);
    const changed = Promise.withResolvers<void>();
    const seen: string[] = [];
    using watch = followPolicyFile({
      path,
      chosenBy: undefined,
      builtIn: presets,
      onWarning: () => undefined,
      onChange: () => {
        seen.push([...watch.current().containers.values()].join());
        if (watch.current().networks.get("app") === "b.example.org") changed.resolve();
      },
      onProblem: () => undefined,
    });
    const file = openSync(path, "w");
    for (const line of ["networks: {app: b.example.org}\n", "containers: ", "{web: '!a.example.org'}\n"]) {
      writeSync(file, line);
      await setTimeout(20);
    }
    closeSync(file);
    await changed.promise;
    rmSync(folder, { recursive: true });
    assert.deepEqual(seen, ["!a.example.org"]);
  });
});
