// Whatever the order of starts, stops, hangs, lost events, late answers and restarts of the daemon: nothing is ever
// granted to a container that its own list takes away, nothing of another's list, and nothing is denied for good that
// its own list allows; and when all has been told, each is judged by its own list.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { decideForEach, joinDecisions } from "../../../../src/core/askers/decided.ts";
import { AskerIndex } from "../../../../src/core/askers/index-of-askers.ts";
import { allRead, Knowledge } from "../../../../src/core/askers/knowledge.ts";
import type { Standing } from "../../../../src/core/askers/standing.ts";
import { UnknownSandboxes } from "../../../../src/core/askers/unknown-sandboxes.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { GuardedNetwork } from "../../../../src/core/model/guarded-network.ts";
import type { Picture } from "../../../../src/core/model/picture.ts";
import type { Readings, Topology } from "../../../../src/core/model/topology.ts";
import type { EntryList } from "../../../../src/core/policy/entry-list.ts";
import { createPresence } from "../../../../src/data/waiting/presence.ts";
import {
  createInventory,
  type Inventory,
  type InventoryEvents,
} from "../../../../src/edge/engine/inventory.ts";
import { createModelEngine, type ModelContainer, type ModelEngine } from "../../../support/model-engine.ts";
import { listOf } from "../../../support/policies.ts";
import { bridgeNetwork, guardedNetwork } from "../../../support/topologies.ts";

const network = bridgeNetwork("n", "198.18.0.0/24");
const bridges = network.bridge === undefined ? [] : [network.bridge];
const both = "both.example.com";
const extra = "extra.example.com";
const guarded: readonly GuardedNetwork[] = [{ ...guardedNetwork(network), lists: [listOf(both)] }];
const own = new Map<string, EntryList>([`!${both}`, extra].map((label) => [label, listOf(label)]));
const addresses = ["198.18.0.2", "198.18.0.3", "198.18.0.4"] as IpAddress[];

/** The data plane's knowledge, and the control plane's inventory that it comes from. */
interface Daemon {
  readonly inventory: Inventory;
  post(): void;
  tell(): void;
  ask(): void;
  standings(container: ModelContainer): Standing[];
  quarantineOf(container: ModelContainer): string;
  appeared(container: ModelContainer): void;
  gone(sandbox: string): void;
  end(): void;
}

function startDaemon(model: ModelEngine, cutOff: ReadonlySet<string>, nowMs: () => number): Daemon {
  const inventory = createInventory({ engine: model.engine, nowMs, retryMs: 0, slowAfterMs: 100_000 });
  const events: InventoryEvents = {
    onChange: () => undefined,
    onRead: () => undefined,
    onNetworks: () => undefined,
    onLost: () => undefined,
    onReconnect: () => undefined,
    onRefreshed: () => undefined,
    onReload: () => undefined,
    onUnread: () => undefined,
    onProblem: () => undefined,
  };
  inventory.start(events).catch(() => undefined);
  const live = (sandbox: string): ModelContainer | undefined =>
    [...model.containers.values()].find((each) => each.sandbox === sandbox);
  const presence = createPresence(
    (sandbox) => live(sandbox)?.address && ([live(sandbox)?.address ?? ""] as IpAddress[]),
    nowMs,
    () => undefined,
  );
  let readings: Readings = { ...allRead, listedAtMs: Number.NEGATIVE_INFINITY };
  let posted: Topology | undefined;
  let picture: Picture = {
    topology: { networks: [], containers: [] },
    guarded: [],
    services: [],
    quarantined: [],
  };
  let knowledge = new Knowledge(picture, () => readings, presence);
  let index = new AskerIndex(picture, undefined, knowledge);
  let unknownSandboxes = new UnknownSandboxes(picture, knowledge);
  const tell = (): void => {
    if (posted === inventory.current())
      readings = { ...inventory.readings(), readAtMs: new Map(inventory.readings().readAtMs) };
  };
  return {
    inventory,
    post() {
      posted = inventory.current();
      const services = posted.containers.flatMap(({ id, name, labels }) => {
        const list = own.get(labels["dockerwall.allow"] ?? "");
        return list === undefined ? [] : [{ containerId: id, name, addresses: [], lists: [list] }];
      });
      picture = {
        topology: posted,
        guarded: posted.networks.length > 0 ? guarded : [],
        services,
        quarantined: [...cutOff],
      };
      knowledge = new Knowledge(picture, () => readings, presence);
      index = new AskerIndex(picture, undefined, knowledge);
      unknownSandboxes = new UnknownSandboxes(
        picture,
        knowledge,
        unknownSandboxes,
        (sandbox) => live(sandbox) !== undefined,
      );
      tell();
    },
    tell,
    ask() {
      const suspects = new Set([...index.concerned(), ...unknownSandboxes.concerned()]);
      inventory.refresh([...suspects]).catch(() => undefined);
    },
    standings: ({ sandbox = "", address }) =>
      address === undefined
        ? []
        : [index.standingOfSandbox(sandbox, [address], bridges), index.standingOfSource(address)],
    quarantineOf: ({ sandbox = "", address }) =>
      unknownSandboxes.quarantineOf(
        {
          ...knowledge.ofSandbox(sandbox, address === undefined ? [] : [address]),
          sandbox,
        },
        true,
      ),
    appeared({ sandbox = "", address }) {
      presence.appeared(sandbox);
      if (address !== undefined) presence.holds(sandbox, address);
    },
    gone: presence.gone,
    end: inventory.stop,
  };
}

const steps = [
  ...["make", "begin", "begin", "end", "stop", "remove", "hang", "unhang", "cut"],
  ...[
    "work",
    "work",
    "work",
    "work",
    "work",
    "event",
    "event",
    "post",
    "post",
    "tell",
    "ask",
    "break",
    "restart",
  ],
] as const;
type Step = { readonly what: (typeof steps)[number]; readonly pick: number };

function allows(standing: Standing, name: string): boolean {
  return standing.kind === "guarded" && joinDecisions(decideForEach(standing.memberships, name, 0)).allowed;
}

/** What its own list makes of what the network allows. */
function check(standing: Standing, { label = "" }: ModelContainer, isCutOff: boolean, context: string): void {
  if (standing.kind !== "guarded") return;
  const { settled, mayLose } = standing;
  if (label.startsWith("!")) assert.ok(mayLose || !allows(standing, both), `${context}: granted`);
  if (label !== extra) assert.ok(!allows(standing, extra), `${context}: granted another's`);
  else if (!isCutOff) assert.ok(!settled || allows(standing, extra), `${context}: denied its own`);
}

function checkAtLast(daemon: Daemon, container: ModelContainer, isCutOff: boolean): void {
  for (const standing of daemon.standings(container)) {
    assert.ok(standing.kind === "guarded" && standing.settled, `${container.id} is not known in the end`);
    if (isCutOff) continue;
    assert.equal(allows(standing, both), !container.label?.startsWith("!"));
    assert.equal(allows(standing, extra), container.label === extra);
  }
}

/** Nothing hangs any more, and every event and picture has come. */
async function settleDown(model: ModelEngine, daemon: Daemon): Promise<void> {
  for (const container of model.containers.values()) {
    container.hangs = false;
    if (container.phase === "starting") model.endStart(container);
  }
  for (let round = 0; round < 3; round++) {
    daemon.ask();
    await sleep(1);
    for (let work = 0; work < 1_000 && !model.idle(); work++) {
      model.work(work);
      model.deliverEvent();
      await turn();
    }
    daemon.post();
  }
}

async function run(given: readonly Step[]): Promise<void> {
  const model = createModelEngine(network);
  const cutOff = new Set<string>();
  let clock = 0;
  const nowMs = (): number => ++clock;
  let daemon = startDaemon(model, cutOff, nowMs);
  const all = (phase?: ModelContainer["phase"]): ModelContainer[] =>
    [...model.containers.values()].filter((each) => phase === undefined || each.phase === phase);
  const pickOf = (from: readonly ModelContainer[], pick: number): ModelContainer | undefined =>
    from[pick % Math.max(1, from.length)];

  const begin = (container: ModelContainer | undefined): void => {
    const free = addresses.find((address) => all().every((each) => each.address !== address));
    if (container === undefined || free === undefined || container.hangs) return;
    model.beginStart(container, free);
    daemon.appeared(container);
  };
  const stop = (container: ModelContainer | undefined): void => {
    const sandbox = container?.sandbox;
    if (container === undefined || sandbox === undefined) return;
    model.stop(container);
    daemon.gone(sandbox);
  };
  const act: Readonly<Record<Step["what"], (pick: number) => void>> = {
    make: (pick) => model.make([undefined, `!${both}`, extra][pick % 3]),
    begin: (pick) => begin(pickOf(all("stopped"), pick)),
    end: (pick) => {
      const container = pickOf(
        all("starting").filter(({ hangs }) => !hangs),
        pick,
      );
      if (container !== undefined) model.endStart(container);
    },
    stop: (pick) => stop(pickOf(all("running"), pick)),
    remove: (pick) => {
      const container = pickOf(all("stopped"), pick);
      if (container !== undefined) model.remove(container);
    },
    hang: (pick) => {
      const container = pickOf(all(), pick);
      if (container !== undefined) container.hangs = true;
    },
    unhang: (pick) => {
      const container = pickOf(
        all().filter(({ hangs }) => hangs),
        pick,
      );
      if (container !== undefined) container.hangs = false;
    },
    cut: (pick) => {
      const container = pickOf(
        all().filter(({ id }) => daemon.inventory.current().containers.some((each) => each.id === id)),
        pick,
      );
      if (container === undefined) return;
      cutOff.add(container.id);
      // It is said to be done when the data plane has heard of it.
      daemon.post();
    },
    work: (pick) => model.work(pick),
    event: () => model.deliverEvent(),
    post: () => daemon.post(),
    tell: () => daemon.tell(),
    ask: () => daemon.ask(),
    break: () => model.breakStream(),
    restart: () => {
      daemon.end();
      daemon = startDaemon(model, cutOff, nowMs);
      for (const container of all()) if (container.sandbox !== undefined) daemon.appeared(container);
    },
  };
  try {
    for (const [at, { what, pick }] of given.entries()) {
      act[what](pick);
      if (what === "break") await sleep(1);
      await turn();
      for (const container of all()) {
        if (container.sandbox === undefined) continue;
        const context = `step ${at}, ${container.id}`;
        for (const standing of daemon.standings(container))
          check(standing, container, cutOff.has(container.id), context);
        if (cutOff.has(container.id)) assert.notEqual(daemon.quarantineOf(container), "no", context);
      }
    }
    await settleDown(model, daemon);
    for (const container of all("running")) checkAtLast(daemon, container, cutOff.has(container.id));
  } finally {
    daemon.end();
  }
}

test("what is unknown is closed, in whatever order it becomes known", async () => {
  const step = fc.record({ what: fc.constantFrom(...steps), pick: fc.nat(11) });
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), run), {
    numRuns: Number(process.env["DOCKERWALL_RUNS"] ?? 300),
  });
});
