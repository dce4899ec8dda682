// The engine's picture: one container that cannot be read keeps nothing from being known, and what is the same is not
// reported again.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Container } from "../../../../src/core/model/topology.ts";
import { parseContainer, parseListedContainer } from "../../../../src/edge/engine/api/answers.ts";
import type { EngineEvent } from "../../../../src/edge/engine/api/events.ts";
import type { Engine } from "../../../../src/edge/engine/engine.ts";
import { createInventory, type InventoryEvents } from "../../../../src/edge/engine/inventory.ts";
import { until } from "../../../support/lab/command.ts";
import { bridgeNetwork, newContainer, runningContainer } from "../../../support/topologies.ts";

const network = bridgeNetwork("app", "198.18.0.0/24");

interface Answers {
  /** As inspecting tells them, by id. */
  readonly containers: Map<string, Container>;
  /** Ids of those that inspecting waits for. */
  readonly hung: Set<string>;
  readonly inspected: string[];
  lists: number;
}

function start(t: TestContext, ...given: readonly Container[]) {
  const answers: Answers = {
    containers: new Map(given.map((container) => [container.id, container])),
    hung: new Set(),
    inspected: [],
    lists: 0,
  };
  const unhang: (() => void)[] = [];
  let onEvent: ((event: EngineEvent) => void) | undefined;
  let breakOff: (() => void) | undefined;
  const refused = (): Promise<never> => Promise.reject(new Error("not asked"));
  const engine: Engine = {
    version: refused,
    firewallDriver: refused,
    keepsContainers: refused,
    createBridgeNetwork: refused,
    removeNetwork: refused,
    listNetworks: async () => [{ ...network }],
    inspectNetwork: async () => network,
    listContainers: async () => {
      answers.lists += 1;
      return [...answers.containers.values()].map((container) => ({
        container: { ...container, sandbox: undefined, hazards: [] },
        stamp: JSON.stringify(container),
      }));
    },
    async inspectContainer(id, signal) {
      answers.inspected.push(id);
      if (answers.hung.has(id)) {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        unhang.push(resolve);
        signal.addEventListener("abort", () => reject(signal.reason));
        await promise;
      }
      const container = answers.containers.get(id);
      return container && structuredClone(container);
    },
    followEvents: (onOpen, onEach, signal) =>
      new Promise((resolve) => {
        onEvent = onEach;
        breakOff = resolve;
        signal.addEventListener("abort", () => resolve());
        onOpen();
      }),
  };
  let changes = 0;
  let clock = 0;
  let unread: readonly { readonly name: string; readonly why: string }[] = [];
  const inventory = createInventory({ engine, nowMs: () => ++clock, retryMs: 1, slowAfterMs: 50 });
  const events: InventoryEvents = {
    onChange: () => {
      changes += 1;
    },
    onRead: () => undefined,
    onNetworks: () => undefined,
    onReload: () => undefined,
    onLost: () => undefined,
    onReconnect: () => undefined,
    onRefreshed: () => undefined,
    onUnread: (those) => {
      unread = those;
    },
    onProblem: (problem) => assert.fail(String(problem)),
  };
  t.after(inventory.stop);
  return {
    inventory: { ...inventory, start: (other = events) => inventory.start(other) },
    events,
    answers,
    changes: () => changes,
    unread: () => unread.map(({ name }) => name),
    unhang: () => {
      answers.hung.clear();
      for (const each of unhang.splice(0)) each();
    },
    event: (action: string, id: string, attributes = {}) =>
      onEvent?.({ type: "container", action, id, container: undefined, attributes }),
    daemonEvent: (action: string) =>
      onEvent?.({ type: "daemon", action, id: "engine", container: undefined, attributes: {} }),
    nowMs: () => ++clock,
    /** The engine ends the stream of its events. */
    breakOff: () => breakOff?.(),
  };
}

const web = runningContainer("web", "app", "198.18.0.2");
const strict = {
  ...runningContainer("strict", "app", "198.18.0.3"),
  labels: { "dockerwall.allow": "!www.example.com" },
};

describe("a container that cannot be read", () => {
  it("is known by the list, with its label, and named; the others are read", async (t) => {
    const { inventory, answers, unread, unhang } = start(t, web, strict);
    answers.hung.add("strict");
    await inventory.start();
    const of = (id: string) => inventory.current().containers.find((each) => each.id === id);
    assert.deepEqual([of("strict")?.labels, of("strict")?.endpoints], [strict.labels, strict.endpoints]);
    await inventory.refresh();
    assert.deepEqual([of("web"), of("strict")?.sandbox], [web, undefined]);
    assert.deepEqual([...inventory.readings().readAtMs.keys()], ["web"]);
    assert.deepEqual(unread(), ["strict"]);
    // More readings wait for nobody, and leave no more of them in the engine.
    await inventory.refresh(["strict"]);
    assert.deepEqual(answers.inspected.filter((id) => id === "strict").length, 1);
    unhang();
    await until("the reading", 1_000, () => (of("strict")?.sandbox === undefined ? undefined : true));
    assert.deepEqual([of("strict"), unread()], [strict, []]);
  });

  it("is forgotten when it is removed", async (t) => {
    const { inventory, answers, unread, event, unhang } = start(t, web, strict);
    answers.hung.add("strict");
    await inventory.start();
    await inventory.refresh();
    answers.containers.delete("strict");
    event("destroy", "strict");
    assert.deepEqual([inventory.current().containers, unread()], [[web], []]);
    unhang();
    await turn();
    assert.deepEqual(inventory.current().containers, [web]);
  });
});

describe("an event of the engine itself", () => {
  it("is told when its settings were read again, and is about no container", async (t) => {
    const { inventory, answers, events, daemonEvent } = start(t);
    let reloads = 0;
    await inventory.start({ ...events, onReload: () => void reloads++ });
    for (const action of ["reload", "start", "destroy"]) daemonEvent(action);
    assert.equal(reloads, 1);
    assert.deepEqual(answers.inspected, []);
  });
});

describe("a reading of the engine", () => {
  it("tells nobody when nothing is other than before, and reads what is new or other only", async (t) => {
    const { inventory, answers, changes } = start(t, web, strict);
    await inventory.start();
    await inventory.refresh();
    const [picture, told] = [inventory.current(), changes()];
    answers.inspected.splice(0);
    for (let round = 0; round < 3; round++) await inventory.refresh();
    assert.deepEqual([inventory.current() === picture, changes(), answers.inspected], [true, told, []]);
    answers.containers.set("web", { ...web, name: "renamed" });
    answers.containers.set("new", newContainer("new", "app"));
    await inventory.refresh(["strict"]);
    assert.deepEqual(answers.inspected.toSorted(), ["new", "strict", "web"]);
    assert.equal(inventory.current().containers.find(({ id }) => id === "web")?.name, "renamed");
  });

  it("that was asked for begins after that, however many are under way", async (t) => {
    const { inventory, nowMs, answers } = start(t, web);
    await inventory.start();
    const begun = answers.lists;
    const first = inventory.refresh();
    const asked = nowMs();
    await Promise.all([first, ...Array.from({ length: 20 }, () => inventory.refresh())]);
    assert.ok(inventory.readings().listedAtMs > asked);
    assert.equal(answers.lists, begun + 2);
  });

  it("takes from a stopped container what it had, at once", async (t) => {
    const { inventory, answers } = start(t, web);
    await inventory.start();
    await inventory.refresh();
    answers.hung.add("web");
    answers.containers.set("web", { ...web, running: false, sandbox: undefined, endpoints: [] });
    const done = inventory.refresh();
    await until("the list", 1_000, () => (inventory.current().containers[0]?.running ? undefined : true));
    assert.deepEqual(inventory.current().containers[0]?.endpoints, []);
    await done;
  });
});

describe("what the engine lists", () => {
  const id = "f".repeat(64);
  const networks = {
    app: { NetworkID: "n1", EndpointID: "e1", IPAddress: "198.18.0.2", GlobalIPv6Address: "", Aliases: null },
  };
  const listed = {
    Id: id,
    Names: ["/other/alias", "/web"],
    Labels: { "dockerwall.allow": "!a.example" },
    State: "running",
    Status: "Up 5 minutes",
    HostConfig: { NetworkMode: "app" },
    NetworkSettings: { Networks: networks },
  };

  it("is what inspecting tells, but for the sandbox and the hazards", () => {
    const inspected = {
      Id: id,
      Name: "/web",
      Config: { Labels: listed.Labels },
      State: { Running: true },
      HostConfig: listed.HostConfig,
      NetworkSettings: { SandboxKey: "/var/run/docker/netns/0123", Networks: networks },
    };
    const [container] = parseContainer(inspected);
    assert.deepEqual(parseListedContainer(listed)[0]?.container, { ...container, sandbox: undefined });
  });

  const others: readonly [name: string, change: object, isOther: boolean][] = [
    ["its age", { Status: "Up 6 minutes" }, false],
    ["its state", { State: "exited" }, true],
    ["its name", { Names: ["/renamed"] }, true],
    [
      "another start",
      { NetworkSettings: { Networks: { app: { ...networks.app, EndpointID: "e2" } } } },
      true,
    ],
  ];
  for (const [name, change, isOther] of others) {
    it(`${isOther ? "is to be read again" : "is the same"} with ${name}`, () => {
      const stampOf = (answer: unknown): string => parseListedContainer(answer)[0]?.stamp ?? assert.fail();
      assert.equal(stampOf(listed) !== stampOf({ ...listed, ...change }), isOther);
    });
  }

  it("without anything in it is nobody", () => assert.deepEqual(parseListedContainer({}), []));
});

describe("a listener that throws", () => {
  const broken = (): never => {
    throw new Error("no");
  };

  it("is a problem, and the engine is followed all the same", async (t) => {
    const { inventory, events, breakOff, changes, event, answers } = start(t, web);
    const problems: string[] = [];
    const onProblem = (problem: unknown): void => void problems.push(String(problem));
    let reconnects = 0;
    const onReconnect = (): void => {
      reconnects += 1;
    };
    await inventory.start({ ...events, onLost: broken, onReconnect, onProblem });
    for (const times of [1, 2]) {
      breakOff();
      await until("another stream of events", 1_000, () => (reconnects === times ? true : undefined));
    }
    assert.deepEqual(problems, ["Error: no", "Error: no"]);
    const before = changes();
    answers.containers.set("strict", strict);
    event("start", "strict");
    await until("the event", 1_000, () => (changes() > before ? true : undefined));
  });

  it("to containers that cannot be read ends nothing", async (t) => {
    const { inventory, events, answers } = start(t, web, strict);
    const problems: string[] = [];
    answers.hung.add("strict");
    await inventory.start({
      ...events,
      onUnread: broken,
      onProblem: (problem) => void problems.push(String(problem)),
    });
    await until("the slow one", 1_000, () => (problems.length > 0 ? true : undefined));
    assert.deepEqual(problems, ["Error: no"]);
  });
});
