// Sandboxes that are judged because of one another: one after the other, each by what is known last.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Standing } from "../../../../src/core/askers/standing.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { after } from "../../../../src/edge/host/every.ts";
import { AddressHolders } from "../../../../src/edge/sandbox/address-holders.ts";
import { unreadAddresses } from "../../../../src/edge/sandbox/addresses.ts";
import { type Capture, type CaptureOptions, createCapture } from "../../../../src/edge/sandbox/capture.ts";
import {
  type Classification,
  type ClassificationOptions,
  createClassification,
} from "../../../../src/edge/sandbox/classification.ts";
import type { Questions } from "../../../../src/edge/sandbox/lookups/questions.ts";
import { OwedSandboxes } from "../../../../src/edge/sandbox/owed.ts";
import type { OwnChecksums } from "../../../../src/edge/sandbox/ports/own-checksums.ts";
import { SandboxRegister } from "../../../../src/edge/sandbox/register.ts";
import type { Sandbox } from "../../../../src/edge/sandbox/sandbox.ts";

const nothing = (): void => undefined;

function sandboxOf(name: string): Sandbox {
  const made: Partial<Sandbox> = {
    name,
    found: unreadAddresses,
    addresses: [],
    interfaces: [],
    gateways: [],
    checksums: { noteChange: nothing } as Partial<OwnChecksums> as OwnChecksums,
    standing: { kind: "unknown" },
    captured: true,
  };
  return made as Sandbox;
}

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
  commit: () => ReadonlyMap<string, string> | undefined = () => undefined,
  changed: Partial<ClassificationOptions> = {},
) {
  const order: string[] = [];
  const problems: string[] = [];
  const paid: string[] = [];
  const unused = {
    install: (sandbox: Sandbox) => {
      sandbox.captured = true;
    },
    releaseSoon: nothing,
    hold: (sandbox: Sandbox) => {
      sandbox.held = sandbox.interfaces;
    },
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
      return commit() ?? new Map();
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
    readAddresses: () => unreadAddresses,
    owed: {
      owe: (_sandbox, why) => problems.push(why),
      paid: ({ name }) => paid.push(name),
    },
    ...changed,
  };
  const made: Classification = createClassification(options);
  return { classification: made, order, problems, paid };
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
    [
      "open",
      [
        "sandbox box: refused",
        "uncaptured other: refused",
        "sandbox other: refused",
        "sandbox fourth: refused",
      ],
    ],
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
      return undefined;
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
  const { classification } = start(
    () => standing,
    () => undefined,
    { register, capture },
  );
  const box = { ...sandboxOf("box"), captured: false };
  register.add(box);
  classification.settle([box]);
  assert.match(told ?? "", /sandbox box: refused/);
  standing = { kind: "open" };
  classification.settle([box]);
  assert.equal(told, undefined);
  assert.equal(register.isComplete, true);
});

/** A timer that is begun within a tick runs with the next one. */
function pass({ mock }: TestContext, seconds: number): void {
  for (let second = 0; second < seconds; second++) mock.timers.tick(1_000);
}

/** With real books of what is owed. */
function startOwing(
  judge: Parameters<typeof start>[0],
  commit: Parameters<typeof start>[1],
  changed: Partial<ClassificationOptions> = {},
) {
  const told: (string | undefined)[] = [];
  const register = registerOf((problem) => {
    if (problem !== told.at(-1)) told.push(problem);
  });
  const owed: OwedSandboxes = new OwedSandboxes({
    register,
    after,
    tellOf: () => () => assert.fail(),
    again: (sandbox) => started.classification.read(sandbox),
  });
  const started = start(judge, commit, { register, owed, ...changed });
  const box = sandboxOf("box");
  register.add(box);
  return { ...started, box, register, owed, told };
}

const problemOf = (why: string): string =>
  `what was decided of 1 container(s) is not wholly in force, and is tried again (${why})`;

test("addresses that could not be read are read again, and no judgement by older ones is enough", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const found = { ...unreadAddresses, addresses: [{ address: "192.0.2.1" as IpAddress, index: 2 }] };
  let readings = 0;
  const { classification, box, told } = startOwing(
    () => guarded,
    () => undefined,
    {
      readAddresses() {
        readings++;
        if (readings < 3) throw new Error("no descriptors are left");
        return found;
      },
    },
  );
  classification.read(box);
  classification.settle([box]);
  const problem = problemOf("sandbox box: no descriptors are left");
  assert.deepEqual([readings, told], [1, [problem]]);
  pass(t, 1);
  assert.deepEqual([readings, told, box.found], [2, [problem], unreadAddresses]);
  pass(t, 60);
  assert.deepEqual([readings, told, box.found], [3, [problem, undefined], found]);
});

for (const [what, isUnread] of [
  ["its addresses cannot be read", true],
  ["it cannot be judged", false],
] as const)
  test(`one that is captured, and was open, is not taken for open where ${what}`, (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    let fails = false;
    let givenBack = 0;
    // There is no namespace to give it back in.
    const onRefused = () => () => givenBack++;
    const readAnew = (sandbox: Sandbox): void => classification.read(sandbox);
    const capture = createCapture({ readAnew, onRefused } as Partial<CaptureOptions> as CaptureOptions);
    const { classification, box } = startOwing(
      () => {
        assert.ok(isUnread || !fails, "refused");
        return { kind: "open" };
      },
      () => undefined,
      {
        capture,
        readAddresses() {
          assert.ok(!isUnread || !fails, "refused");
          return unreadAddresses;
        },
      },
    );
    Object.assign(box, { namespaceFd: -1, held: [] });
    classification.read(box);
    assert.equal(box.standing.kind, "open");
    fails = true;
    pass(t, 10);
    // By what was known before it may have joined a guarded network.
    classification.settle([box]);
    pass(t, 10);
    assert.deepEqual([box.standing.kind, givenBack], ["unknown", 0]);
    fails = false;
    pass(t, 20);
    assert.deepEqual([box.standing.kind, givenBack > 0], ["open", true]);
  });

test("one that is open, and is given back already, stays so where its addresses cannot be read", () => {
  const readAddresses = (): never => assert.fail("refused");
  const { classification } = start(
    () => ({ kind: "open" }),
    () => undefined,
    { readAddresses },
  );
  const box: Sandbox = { ...sandboxOf("box"), standing: { kind: "open" }, captured: false };
  classification.read(box);
  classification.settle([box]);
  assert.deepEqual([box.standing.kind, box.captured], ["open", false]);
});

test("one of which the kernel refuses what it demands is judged again until that is in force", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let refusals = 2;
  const { classification, box, told, order } = startOwing(
    () => guarded,
    () => new Map(refusals-- > 0 ? [["box", "the ports of sandbox box: no memory"]] : []),
  );
  classification.settle([box]);
  const problem = problemOf("the ports of sandbox box: no memory");
  assert.deepEqual(told, [problem]);
  pass(t, 60);
  assert.deepEqual(told, [problem, undefined]);
  assert.equal(order.filter((each) => each === "begins box").length, 3);
});

test("one that cannot be judged is so again, and so is one that was refused as another was judged", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const other = sandboxOf("other");
  const { classification, box, register, told, order } = startOwing(
    (name, times) => {
      if (name === "box" && times === 1) throw new Error("the list of interfaces changes");
      return guarded;
    },
    () => new Map(order.includes("ends box") ? [] : [["box", "the ports of sandbox box: no memory"]]),
  );
  register.add(other);
  classification.settle([other]);
  classification.settle([box]);
  assert.deepEqual(
    told,
    ["the ports of sandbox box: no memory", "sandbox box: the list of interfaces changes"].map(problemOf),
  );
  pass(t, 1);
  assert.deepEqual([told.at(-1), box.standing.kind], [undefined, "guarded"]);
});

test("a capture that was refused, and what was to be held or closed, is put in when it is judged again", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const done: string[] = [];
  let isRefused = true;
  const refusing = (work: (sandbox: Sandbox) => void) => (sandbox: Sandbox) => {
    if (isRefused) throw new Error("no buffer space");
    work(sandbox);
  };
  const capture: Partial<Capture> = {
    install: refusing((sandbox) => {
      sandbox.captured = true;
      sandbox.held = [];
      register.noteCapture(sandbox);
      done.push("install");
    }),
    hold: refusing((sandbox) => {
      sandbox.held = sandbox.interfaces;
      done.push(`hold ${sandbox.interfaces}`);
    }),
    close: refusing((sandbox) => {
      sandbox.closed = [];
      done.push("close");
    }),
  };
  const found = { ...unreadAddresses, addresses: [{ address: "192.0.2.1" as IpAddress, index: 2 }] };
  const { classification, box, register, told } = startOwing(
    () => guarded,
    () => undefined,
    { capture: capture as Capture, closedIn: () => [], readAddresses: () => found },
  );
  classification.read(box);
  assert.deepEqual([told, box.held], [[problemOf("sandbox box: no buffer space")], undefined]);
  isRefused = false;
  pass(t, 1);
  assert.deepEqual([done, told.at(-1)], [["close", "hold 2"], undefined]);
  pass(t, 60);
  box.captured = false;
  isRefused = true;
  classification.settle([box]);
  assert.match(told.at(-1) ?? "", /cannot be captured, sandbox box: no buffer space/);
  isRefused = false;
  pass(t, 2);
  assert.deepEqual([done.slice(2), told.at(-1)], [["install", "hold 2"], undefined]);
});
