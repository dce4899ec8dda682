// What is in force after each thing that may be found in the policy file's place.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FoundFile, PolicyFileVersions } from "../../../../../src/core/policy/policy-file/versions.ts";
import { presets } from "../../../../support/policies.ts";

const text = (content: string): FoundFile => ({ kind: "text", text: content });
const good = text("networks: {app: a.example.com}\n");
const other = text("networks: {app: b.example.com}\n");
const bad = text("networks: [\n");
const takesAway = text("networks: ['!a.example.com'\n");
const missing: FoundFile = { kind: "missing" };
const unreadable: FoundFile = { kind: "unreadable", why: "EACCES" };
const fault: FoundFile = { kind: "not-understood", why: "no" };

/** What is in force at the end: the list of `app`, "closed" or nothing; and whether the last one changed that. */
function after(found: readonly FoundFile[], chosenBy?: string) {
  const versions = new PolicyFileVersions(presets, "/etc/policy.yml", chosenBy);
  const taken = found.map((each) => versions.take(each)).at(-1);
  const { current } = versions;
  return [
    current.closing !== undefined ? "closed" : current.networks.get("app"),
    taken?.changed,
    taken?.news,
  ] as const;
}

describe("a policy file", () => {
  const cases: readonly [
    what: string,
    found: readonly FoundFile[],
    inForce: unknown,
    changed: boolean,
    news: unknown,
  ][] = [
    ["that is not there", [missing], undefined, false, null],
    ["that is good", [good], "a.example.com", true, undefined],
    ["that is the same", [good, good], "a.example.com", false, null],
    ["that is another", [good, other], "b.example.com", true, undefined],
    ["that is bad", [bad], undefined, false, /; nothing of it is in force$/],
    ["that is bad and may take away", [takesAway], "closed", true, /; nothing is allowed on any network/],
    ["that is bad after a good one", [good, takesAway], "a.example.com", false, /last good version stays/],
    ["that is good after it closed everything", [takesAway, good], "a.example.com", true, undefined],
    ["that is gone", [good, missing], "a.example.com", false, /^it is gone; its last good version stays/],
    ["that is back as it was", [good, missing, good], "a.example.com", true, undefined],
    ["that cannot be read", [unreadable], "closed", true, /^it cannot be read \(EACCES\)/],
    ["that cannot be understood", [good, fault], "a.example.com", false, /^it cannot be understood \(no\)/],
    ["that is emptied", [good, text("")], "a.example.com", false, /^it has no content/],
    ["that is empty from the start", [text("")], undefined, true, undefined],
  ];
  for (const [what, found, inForce, changed, news] of cases) {
    it(what, () => {
      const [list, hasChanged, told] = after(found);
      assert.deepEqual([list, hasChanged], [inForce, changed]);
      if (news instanceof RegExp) assert.match(told ?? "", news);
      else assert.equal(told, news);
    });
  }
});

describe("a policy file whose path a setting names", () => {
  const unlike: FoundFile = { kind: "missing", instead: "/etc/policy.yaml" };
  const cases: readonly [what: string, found: readonly FoundFile[], inForce: unknown, news: unknown][] = [
    [
      "closes everything where it is not there",
      [missing],
      "closed",
      /^there is no such file, though --policy-file names it; nothing is allowed on any network until it is there, /,
    ],
    [
      "tells of a file of almost its name",
      [unlike],
      "closed",
      /names it, and \/etc\/policy\.yaml is there instead; /,
    ],
    ["says so once", [missing, missing], "closed", null],
    ["is in force once it is there", [missing, good], "a.example.com", undefined],
    [
      "stays in force when it is gone",
      [good, missing],
      "a.example.com",
      /^it is gone; its last good version/,
    ],
    ["closes nothing more when it was bad and is gone", [bad, missing, missing], undefined, null],
  ];
  for (const [what, found, inForce, news] of cases) {
    it(what, () => {
      const [list, , told] = after(found, "--policy-file");
      assert.equal(list, inForce);
      if (news instanceof RegExp) assert.match(told ?? "", news);
      else assert.equal(told, news);
    });
  }
});
