// The data plane as the control plane has it: a worker thread with its sockets, here in a namespace of its own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { passHostQuestions } from "../../../src/control/daemon/early-questions.ts";
import { createWall } from "../../../src/control/wall.ts";
import { allRead } from "../../../src/core/askers/knowledge.ts";
import { declareCounter } from "../../../src/core/counters/registry.ts";
import { setNames } from "../../../src/core/firewall/names.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import type { LookupEvent } from "../../../src/core/journal/lookup-event.ts";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { parsePrefix } from "../../../src/core/model/address.ts";
import type { Network, Topology } from "../../../src/core/model/topology.ts";
import { holdEngineQuestions } from "../../../src/edge/kernel/flows/engine-queue.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createFirewall } from "../../../src/edge/kernel/iptables/firewall.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { type DataPlaneEvents, startDataPlane } from "../../../src/planes/link.ts";
import { plainName, rawMessage, rawQuestion } from "../../support/dns-bytes.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { planeSettings } from "../../support/plane-settings.ts";
import { quietHost } from "../../support/policies.ts";

enterNamespaces(import.meta.url);

const asker = "198.19.1.2" as IpAddress;
const dnsPort = 5053;
const queueNumber = 5353;
const network: Network = {
  id: "0".repeat(64),
  name: "app",
  driver: "bridge",
  bridge: "br-0123456789ab",
  subnets: ["198.19.1.0/24"].flatMap((text) => parsePrefix(text) ?? []),
  gateways: [],
  internal: false,
  labels: { "dockerwall.allow": "www.example.com" },
};
const ofThisThread = "of_this_thread";
declareCounter({ name: ofThisThread, help: "Nothing.", words: { one: "thing", many: "things" } });
const topology: Topology = { networks: [network], containers: [] };
const nothing = (): undefined => undefined;
/** Nothing of what may happen is a problem. */
const silent: DataPlaneEvents = {
  onLookups: nothing,
  onFreshAddresses: nothing,
  onSecondPart: nothing,
  onRefresh: nothing,
  onListening: nothing,
  onSandboxes: nothing,
  onForeignInterfaces: nothing,
  onResolver: nothing,
  onProblem: assert.fail,
  onDeath: assert.fail,
};

test("the port of lookups is kept from others for as long as it is ours", async (t) => {
  const sets = openKernelSets();
  t.after(sets.close);
  createSets(sets);
  const listed = (): number[] => [setNames.listens4, setNames.listens6].map((name) => sets.list(name).length);
  const limits = { leaseFloorSeconds: 1, leaseGraceSeconds: 1, queueNumber: queueNumber + 10 };
  const dataPlane = await startDataPlane({ ...planeSettings, dnsPort, ...limits }, silent);
  assert.deepEqual(listed(), [2, 2]);
  await dataPlane[Symbol.asyncDispose]();
  assert.deepEqual(listed(), [0, 0]);
});

test("which packets would pass by what lookups have opened is told, by every kind of right", async (t) => {
  const sets = openKernelSets();
  t.after(() => {
    for (const set of ["grant4", "pair4"] as const)
      sets.del(
        setNames[set],
        sets.list(setNames[set]).map(({ key }) => key),
      );
    sets.close();
  });
  createSets(sets);
  const [listed, every, range, unopened] = [
    "192.0.2.1" as IpAddress,
    "192.0.2.2" as IpAddress,
    "192.0.2.3" as IpAddress,
    "192.0.2.4" as IpAddress,
  ] as const;
  for (const [set, first, port, comment] of [
    ["grant4", listed, 443, "www.example.com"],
    ["pair4", every, 0, "any www.example.com"],
    ["pair4", range, 8_000, "8000-9000/tcp www.example.com"],
  ] as const) {
    const key = { kind: "ip-port-ip", first, protocol: 6, port, second: asker } as const;
    sets.add(setNames[set], [{ key, timeoutSeconds: 300, comment }]);
  }
  const limits = { leaseFloorSeconds: 1, leaseGraceSeconds: 1, queueNumber: queueNumber + 40 };
  await using dataPlane = await startDataPlane({ ...planeSettings, dnsPort: dnsPort + 3, ...limits }, silent);
  const wanted: readonly [
    destination: IpAddress,
    ipProtocol: number,
    port: number | undefined,
    open: boolean,
  ][] = [
    [listed, 6, 443, true],
    [listed, 6, 80, false],
    [listed, 17, 443, false],
    [every, 17, 9, true],
    [every, 1, undefined, true],
    // It is led to us.
    [every, 17, 53, false],
    [range, 6, 9_000, true],
    [range, 6, 9_001, false],
    [unopened, 6, 443, false],
  ];
  const packets = wanted.map(([destination, ipProtocol, port]) => ({ asker, destination, ipProtocol, port }));
  assert.deepEqual(
    await dataPlane.areOpen(packets),
    wanted.map(([, , , open]) => open),
  );
});

test("lookups of the host's own pass while the thread starts", async (t) => {
  const number = queueNumber + 20;
  const sets = openKernelSets();
  t.after(sets.close);
  createSets(sets);
  run("ip", "link", "set", "lo", "up");
  await using server = createSocket("udp4");
  server.bind(53, "127.0.0.1");
  await once(server, "listening");
  server.on("message", (message, { port, address }) => server.send(message, port, address));
  const iptables = createIptables("nft");
  await iptables.apply(4, desiredRules({ family: 4, dnsPort, queueNumber: number, hold: true }));
  t.after(() => iptables.apply(4, []));
  const readiness = createReadiness();
  t.after(readiness.close);
  const early = passHostQuestions({
    queueNumber: number,
    queue: holdEngineQuestions(number, sets),
    sets,
    readiness,
    mayBeEngines: () => false,
    onFailure: (error) => assert.fail(String(error)),
  });
  const folder = mkdtempSync(`${tmpdir()}/sandboxes-`);
  t.after(() => rmdirSync(folder));
  let answered = 0;
  let answeredBefore: number | undefined;
  const limits = { leaseFloorSeconds: 1, leaseGraceSeconds: 1, queueNumber: number, sandboxFolder: folder };
  const start = startDataPlane({ ...planeSettings, dnsPort: dnsPort + 1, ...limits }, silent, () => {
    answeredBefore = answered;
    return early.handOver();
  });
  await using client = createSocket("udp4");
  // Those after the handing over are the thread's to let go.
  while ((answeredBefore ?? answered) + 5 > answered) {
    client.send("the host's", 53, "127.0.0.1");
    await once(client, "message", { signal: AbortSignal.timeout(5_000) });
    answered += 1;
    if (answered === 1) assert.equal(answeredBefore, undefined);
    if (answeredBefore === undefined) await nextTurn();
  }
  const dataPlane = await start;
  await dataPlane[Symbol.asyncDispose]();
});

// Sends itself datagrams as lookups of the host's own, five each millisecond, and in the end says how many it misses.
const asks = `
const socket = require("node:dgram").createSocket("udp4");
const open = new Set();
let sent = 0;
socket.on("message", (message) => open.delete(String(message)));
socket.bind(53, "127.0.0.1", () => {
  const asking = setInterval(() => {
    for (let i = 0; i < 5; i++) {
      open.add(String(++sent));
      socket.send(String(sent), 53, "127.0.0.1");
    }
    if (sent === 20) console.log("asks");
  }, 1);
  process.stdin.once("data", () => {
    clearInterval(asking);
    setTimeout(() => process.exit(console.log(open.size + " of " + sent + " missed")), 1_000);
  });
});
`;

test("lookups of the host's own that wait when the thread ends pass", async (t) => {
  const number = queueNumber + 30;
  const sets = openKernelSets();
  t.after(sets.close);
  createSets(sets);
  run("ip", "link", "set", "lo", "up");
  const iptables = createIptables("nft");
  await iptables.apply(4, desiredRules({ family: 4, dnsPort, queueNumber: number, hold: true }));
  t.after(() => iptables.apply(4, []));
  const folder = mkdtempSync(`${tmpdir()}/sandboxes-`);
  t.after(() => rmdirSync(folder));
  const asker = spawn(process.execPath, ["-e", asks], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => asker.kill());
  await once(asker.stdout, "data");
  const limits = { leaseFloorSeconds: 1, leaseGraceSeconds: 1, queueNumber: number, sandboxFolder: folder };
  // Their ends take hooks out of the kernel, which drops what waits in any queue then.
  const hooks = { guardPorts: true, holdUnsettled: true };
  const settings = { ...planeSettings, dnsPort: dnsPort + 2, ...limits, ...hooks };
  const dataPlane = await startDataPlane(settings, silent);
  dataPlane.holdUnsettled();
  await dataPlane.flush();
  await dataPlane[Symbol.asyncDispose]();
  asker.stdin.write("enough");
  const [said] = await once(asker.stdout, "data");
  assert.match(String(said), /^0 of \d+ missed\n$/);
});

test("a flush tells of every lookup that was answered before it", async (t) => {
  run("ip", "addr", "add", `${asker}/32`, "dev", "lo");
  const sets = openKernelSets();
  t.after(sets.close);
  const wall = createWall({
    sets,
    firewall: createFirewall("nft"),
    dnsPort,
    queueNumber,
    hold: true,
    listBridges: () => [],
    ...quietHost(),
  });
  // The data plane reads at its start which grants the sets hold.
  const { guarded } = wall.classify(topology);
  const events: LookupEvent[] = [];
  const problems: string[] = [];
  const counters = Promise.withResolvers<readonly string[]>();
  const unexpected = (what?: unknown): never => assert.fail(String(what));
  await using dataPlane = await startDataPlane(
    { ...planeSettings, dnsPort, leaseFloorSeconds: 1, leaseGraceSeconds: 1, queueNumber },
    {
      onLookups: (batch) => {
        events.push(...batch);
        if (events.length === 3) throw new Error("the journal is broken");
      },
      onFreshAddresses: unexpected,
      onSecondPart: unexpected,
      onRefresh: () => undefined,
      onListening: nothing,
      onSandboxes: unexpected,
      onForeignInterfaces: unexpected,
      onResolver: (_report, readings) => counters.resolve(readings.map(({ name }) => name)),
      onProblem: (problem) => problems.push(problem),
      onDeath: unexpected,
    },
  );
  await dataPlane.post({ topology, guarded, services: [], quarantined: [] });
  // There is nobody but those.
  dataPlane.tellReadings(allRead);
  await using client = createSocket("udp4");
  client.bind(0, asker);
  await once(client, "listening");
  // More often than batches leave, so that one of the flushes falls between two of them.
  for (let round = 1; round <= 20; round++) {
    client.send(rawMessage({ body: [rawQuestion(plainName(`round-${round}.example.org`))] }), dnsPort, asker);
    await once(client, "message");
    await dataPlane.flush();
    assert.deepEqual(
      events.map(({ domain }) => domain),
      Array.from({ length: round }, (_, index) => `round-${index + 1}.example.org`),
    );
  }
  // Its counters are those of its own thread, and all of them.
  const told = await counters.promise;
  const declarer = new Worker(new URL("../../support/data-plane-counters.ts", import.meta.url));
  const [declared] = (await once(declarer, "message")) as [readonly string[]];
  assert.ok(declared.includes("lookup_refused_turns"));
  assert.deepEqual(told.toSorted(), declared.toSorted());
  assert.ok(!told.includes(ofThisThread));
  // What a message asks for may fail, in either thread, and ends nothing.
  await assert.rejects(dataPlane.post({ topology, guarded: 5 as never, services: [], quarantined: [] }));
  await assert.rejects(dataPlane.readPath(null as never));
  client.send(rawMessage({ body: [rawQuestion(plainName("afterwards.example.org"))] }), dnsPort, asker);
  await once(client, "message");
  assert.deepEqual(problems, ["message lookups: the journal is broken"]);
});
