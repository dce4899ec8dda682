// What stands where the policy file should be, or is on its way there, never stops the daemon, and never takes back what
// the file said: only a whole file does.

import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { followPolicyFile } from "../../../../src/edge/host/policy-file.ts";
import { until } from "../../../support/lab/command.ts";
import { run } from "../../../support/namespace.ts";
import { presets } from "../../../support/policies.ts";

const takes = "networks: {app: '!www.example.com'}\n";

/** A followed file in a folder of its own, and the last report of it. */
function follow() {
  const folder = mkdtempSync(join(tmpdir(), "dockerwall-policy-"));
  const path = join(folder, "policy.yml");
  writeFileSync(path, takes);
  let next = Promise.withResolvers<string>();
  const tell = (news: string): void => {
    const { resolve } = next;
    next = Promise.withResolvers();
    resolve(news);
  };
  const watch = followPolicyFile({
    path,
    chosenBy: undefined,
    builtIn: presets,
    onWarning: () => undefined,
    onChange: () => tell("changed"),
    onProblem: (problem) => {
      if (problem !== undefined) tell(problem);
    },
  });
  return {
    folder,
    path,
    /** The report of a change. */
    after: async (change: () => void): Promise<string> => {
      const { promise } = next;
      change();
      return promise;
    },
    list: () => watch.current().networks.get("app"),
    [Symbol.dispose]: () => {
      watch[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

describe("a policy file that takes something away", () => {
  const inItsPlace: readonly [what: string, put: (path: string) => void, told: RegExp][] = [
    ["a pipe that nobody writes to", (path) => run("mkfifo", path), /it is not a regular file/],
    ["a device without an end", (path) => symlinkSync("/dev/zero", path), /it is not a regular file/],
    [
      "300 megabytes",
      (path) => {
        writeFileSync(path, "");
        truncateSync(path, 300_000_000);
      },
      /it has 300000000 bytes, but may have at most 4194304/,
    ],
    ["nothing at all", (path) => writeFileSync(path, ""), /it has no content.*write \{\}/],
    ["a comment alone", (path) => writeFileSync(path, "# soon\n"), /it has no content.*write \{\}/],
  ];
  for (const [what, put, told] of inItsPlace) {
    it(`stays in force with ${what} in its place`, async () => {
      using file = follow();
      const news = await file.after(() => {
        put(`${file.path}.new`);
        renameSync(`${file.path}.new`, file.path);
      });
      assert.match(news, told);
      assert.match(news, /its last good version stays in force$/);
      assert.equal(file.list(), "!www.example.com");
    });
  }

  it("says nothing any more when it is an empty map", async () => {
    using file = follow();
    assert.equal(await file.after(() => writeFileSync(file.path, "{}\n")), "changed");
    assert.equal(file.list(), undefined);
  });

  it("is read again beside a file that changes all the time", async () => {
    using file = follow();
    const neighbour = setInterval(() => writeFileSync(join(file.folder, "log"), "x"), 5);
    const giveUp = new Promise<string>((resolve) => setTimeout(resolve, 3_000, "never read").unref());
    const news = await Promise.race([
      file.after(() => writeFileSync(file.path, "networks: {app: a.example.org}\n")),
      giveUp,
    ]);
    clearInterval(neighbour);
    assert.equal(news, "changed");
    assert.equal(file.list(), "a.example.org");
  });
});

describe("a policy file that is not there", () => {
  /** A followed path at which there is nothing, and what was said of it. */
  function followNothing(chosenBy: string | undefined, written: string, other: string) {
    const folder = mkdtempSync(join(tmpdir(), "dockerwall-policy-"));
    writeFileSync(join(folder, other), takes);
    const said: (string | undefined)[] = [];
    const watch = followPolicyFile({
      path: join(folder, written),
      chosenBy,
      builtIn: presets,
      onChange: () => undefined,
      onProblem: (problem) => said.push(`problem: ${problem}`),
      onWarning: (warning) => said.push(`warning: ${warning}`),
    });
    return {
      folder,
      watch,
      said,
      [Symbol.dispose]: () => {
        watch[Symbol.dispose]();
        rmSync(folder, { recursive: true });
      },
    };
  }

  for (const [written, other] of [
    ["policy.yml", "policy.yaml"],
    ["policy.yaml", "policy.yml"],
  ] as const) {
    it(`warns of ${other} beside ${written} until it is renamed`, () => {
      using file = followNothing(undefined, written, other);
      const { folder, watch, said } = file;
      watch.look();
      assert.equal(
        said.join("\n"),
        `warning: policy file ${folder}/${written}: there is none, and ${folder}/${other} is not read; rename it, or set DOCKERWALL_POLICY_FILE to its path`,
      );
      renameSync(join(folder, other), join(folder, written));
      watch.look();
      assert.equal(said.at(-1), "warning: undefined");
      assert.equal(said.length, 2);
    });
  }

  it("is no problem at the usual path", () => {
    using file = followNothing(undefined, "policy.yml", "other.yml");
    assert.deepEqual(
      [file.said, file.watch.isInForce(), file.watch.current().closing],
      [[], false, undefined],
    );
  });

  it("closes everything where a setting names it, until it is there", async () => {
    using file = followNothing("DOCKERWALL_POLICY_FILE", "policy.yml", "policy.yaml");
    const { folder, watch, said } = file;
    assert.equal(watch.current().closing?.closes, true);
    assert.match(
      said.join("\n"),
      /^problem: policy file \S+\/policy\.yml: there is no such file, though DOCKERWALL_POLICY_FILE names it, and \S+\/policy\.yaml is there instead; nothing is allowed/,
    );
    renameSync(join(folder, "policy.yaml"), join(folder, "policy.yml"));
    await until("the file", 5_000, () => (watch.isInForce() ? true : undefined));
    assert.equal(watch.current().networks.get("app"), "!www.example.com");
    assert.equal(said.at(-1), "problem: undefined");
  });
});

describe("a policy file that cannot be understood for a fault of ours", () => {
  it("leaves what is in force, or closes everything where nothing is, and is read again when it changes", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dockerwall-policy-"));
    const path = join(folder, "policy.yml");
    writeFileSync(path, "presets: {mine: [www.example.com]}\n");
    let fails = false;
    const told: (string | undefined)[] = [];
    const builtIn = new Map(presets);
    builtIn[Symbol.iterator] = () => (fails ? assert.fail("no") : builtIn.entries());
    let changes = 0;
    const unchosen = { path, chosenBy: undefined, builtIn, onWarning: () => undefined };
    using watch = followPolicyFile({
      ...unchosen,
      onChange: () => {
        changes += 1;
      },
      onProblem: (problem) => void told.push(problem),
    });
    const was = watch.current();
    fails = true;
    writeFileSync(path, "presets: {mine: [api.example.com]}\n");
    await until("the failure", 5_000, () => told.at(-1));
    assert.match(told.at(-1) ?? "", /cannot be understood \(no\); its last good version stays in force$/);
    assert.deepEqual([watch.current(), changes], [was, 0]);
    using first = followPolicyFile({ ...unchosen, onChange: () => undefined, onProblem: () => undefined });
    assert.equal(first.current().closing?.closes, true);
    fails = false;
    writeFileSync(path, "presets: {mine: [cdn.example.com]}\n");
    await until("the correction", 5_000, () => (changes === 1 ? true : undefined));
    rmSync(folder, { recursive: true });
  });
});
