// Sandboxes that are judged because of one another: one after the other, each by what is known last.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Standing } from "../../../../src/core/askers/index-of-askers.ts";
import { AddressHolders } from "../../../../src/edge/sandbox/address-holders.ts";
import { unreadAddresses } from "../../../../src/edge/sandbox/addresses.ts";
import type { Capture } from "../../../../src/edge/sandbox/capture.ts";
import {
  type Classification,
  type ClassificationOptions,
  createClassification,
} from "../../../../src/edge/sandbox/classification.ts";
import type { Questions } from "../../../../src/edge/sandbox/lookups/questions.ts";
import { SandboxRegister } from "../../../../src/edge/sandbox/register.ts";
import type { Sandbox } from "../../../../src/edge/sandbox/sandbox.ts";
import { messageOf } from "../../../../src/errors.ts";

function sandboxOf(name: string): Sandbox {
  const made: Partial<Sandbox> = {
    name,
    found: unreadAddresses,
    addresses: [],
    interfaces: [],
    gateways: [],
    standing: { kind: "unknown" },
    captured: true,
  };
  return made as Sandbox;
}

const nothing = (): void => undefined;

/** @param tell of what cannot be captured, each time */
function registerOf(tell: (problem: string | undefined) => void): SandboxRegister {
  return new SandboxRegister({
    lacking: () => [],
    isMet: () => true,
    onLate: nothing,
    onChange: (_captured, problem) => tell(problem),
  });
}

/** @param judge what follows from judging one, the nth time */
function start(
  judge: (name: string, times: number, classification: Classification) => Standing,
  commit: () => void = nothing,
  changed: Partial<ClassificationOptions> = {},
) {
  const order: string[] = [];
  const problems: string[] = [];
  const unused = {
    install: (sandbox: Sandbox) => {
      sandbox.captured = true;
    },
    releaseSoon: nothing,
    hold: nothing,
    settle: ({ name }: Sandbox) => order.push(`settles ${name}`),
  };
  const options: ClassificationOptions = {
    enforce(_found, name) {
      order.push(`begins ${name}`);
      const times = order.filter((each) => each === `begins ${name}`).length;
      const standing = judge(name, times, made);
      order.push(`ends ${name}`);
      return standing;
    },
    commit() {
      order.push("commits");
      commit();
    },
    closedIn: () => undefined,
    isTold: () => false,
    portsWait: () => false,
    register: {
      isLive: ({ name }: Sandbox) => name !== "gone",
      noteUncaptured: (name, why) => problems.push(`uncaptured ${name}: ${why}`),
      noteOpen: nothing,
    } as Partial<SandboxRegister> as SandboxRegister,
    holders: new AddressHolders(nothing, (_name, work) => work()),
    capture: unused as unknown as Capture,
    questions: unused as unknown as Questions,
    tellOf: (name) => (error) => problems.push(`sandbox ${name}: ${messageOf(error)}`),
    ...changed,
  };
  const made: Classification = createClassification(options);
  return { classification: made, order, problems };
}

const judged = (...names: readonly string[]): string[] =>
  names.flatMap((name) => [`begins ${name}`, `ends ${name}`]);
const finished = (...names: readonly string[]): string[] => [
  "commits",
  ...names.map((name) => `settles ${name}`),
];

test("those that are judged together are settled once what all of them demand is in the kernel", () => {
  const { classification, order } = start(() => ({ kind: "open" }));
  classification.settle(["box", "gone", "other"].map(sandboxOf));
  assert.deepEqual(order, [...judged("box", "other"), ...finished("box", "other")]);
});

test("no more than a bounded number of them wait for each other", () => {
  const { classification, order } = start(() => ({ kind: "open" }));
  classification.settle(Array.from({ length: 500 }, (_, index) => sandboxOf(`box${index}`)));
  const ends = order.flatMap((each, index) => (each === "commits" ? [index] : []));
  assert.ok(ends.length > 1 && ends.length < 20, `${ends.length}`);
  assert.equal(order.filter((each) => each.startsWith("settles")).length, 500);
});

test("one that is to be judged while another is, or while it is itself, is judged after that", () => {
  const [box, other, gone, third] = ["box", "other", "gone", "third"].map(sandboxOf) as [
    Sandbox,
    Sandbox,
    Sandbox,
    Sandbox,
  ];
  const { classification, order } = start((name, times, { settle }) => {
    if (name === "other") settle([box]);
    if (name === "box" && times === 1) settle([other, other, gone]);
    return { kind: name === "box" && times === 1 ? "unknown" : "open" };
  });
  classification.settle([box, third]);
  assert.deepEqual(order, [
    ...judged("box"),
    // It is not known where it stands.
    ...finished(),
    ...["other", "box", "third"].flatMap((name) => [...judged(name), ...finished(name)]),
  ]);
  // By what was known last.
  assert.deepEqual([box.standing.kind, other.standing.kind], ["open", "open"]);
});

test("where judging one fails, the others are judged all the same", () => {
  const names = ["box", "other", "third", "fourth"];
  const [box, other, third, fourth] = names.map(sandboxOf) as [Sandbox, Sandbox, Sandbox, Sandbox];
  other.captured = false;
  const { classification, problems } = start((name, times, { settle }) => {
    if (name === "box" && times === 1) settle([other, third]);
    if (name !== "third" && times === 1) throw new Error("refused");
    return { kind: "open" };
  });
  classification.settle([box, fourth]);
  assert.deepEqual(
    [third.standing.kind, problems],
    ["open", ["sandbox box: refused", "uncaptured other: refused", "sandbox fourth: refused"]],
  );
  classification.settle([box]);
  assert.equal(box.standing.kind, "open");
});

const guarded: Standing = { kind: "guarded", memberships: [], settled: true, mayLose: false };

test("where what all demand does not get into the kernel, each demands it alone, and acts on it alone", () => {
  const all = ["box", "other", "third"].map(sandboxOf);
  let commits = 0;
  const { classification, order, problems } = start(
    () => guarded,
    () => {
      commits++;
      // That of all, and that of "other".
      if (commits === 1 || commits === 3) throw new Error("refused");
    },
  );
  classification.settle(all);
  assert.deepEqual(order, [
    ...[...judged("box", "other", "third"), "commits"],
    ...[...judged("box"), ...finished("box"), ...judged("other"), "commits"],
    ...[...judged("third"), ...finished("third")],
  ]);
  assert.deepEqual(
    all.map(({ standing }) => standing.kind),
    ["guarded", "unknown", "guarded"],
  );
  assert.deepEqual(problems, ["sandbox other: refused"]);
});

for (const [before, demanded, after] of [
  ["open", guarded, "unknown and captured"],
  ["open", { kind: "unknown" }, "unknown and captured"],
  ["open", { kind: "open" }, "open"],
  ["unknown", { kind: "open" }, "unknown and captured"],
] as const satisfies readonly (readonly ["open" | "unknown", Standing, string])[])
  test(`one that was ${before} and is judged ${demanded.kind} is ${after} where that does not get into the kernel`, () => {
    const box = sandboxOf("box");
    box.standing = { kind: before };
    box.captured = before !== "open";
    const { classification, order, problems } = start(
      () => demanded,
      () => {
        throw new Error("refused");
      },
    );
    classification.settle([box]);
    assert.equal(`${box.standing.kind}${box.captured ? " and captured" : ""}`, after);
    assert.deepEqual(
      [order.filter((each) => each.startsWith("settles")), problems],
      [[], ["sandbox box: refused"]],
    );
  });

test("one that could not be captured is no problem any more once it is acted on as open", () => {
  let told: string | undefined;
  const register = registerOf((problem) => {
    told = problem;
  });
  let standing: Standing = guarded;
  const install = (): never => {
    throw new Error("refused");
  };
  const capture = { install } as Partial<Capture> as Capture;
  const { classification } = start(() => standing, nothing, { register, capture });
  const box = { ...sandboxOf("box"), captured: false };
  register.add(box);
  classification.settle([box]);
  assert.match(told ?? "", /sandbox box: refused/);
  standing = { kind: "open" };
  classification.settle([box]);
  assert.equal(told, undefined);
  assert.equal(register.isComplete, true);
});
