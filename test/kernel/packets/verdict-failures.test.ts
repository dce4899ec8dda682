// The queues of packets, when the kernel does not take a verdict: that is told, and the next packet is judged.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { LateCaptures } from "../../../src/core/askers/late-captures.ts";
import {
  askedMark,
  engineQueueNumber,
  unsettledMark,
  unsettledQueueNumber,
} from "../../../src/core/firewall/names.ts";
import { startEngineQuestions } from "../../../src/data/packets/engine-questions.ts";
import { startQueue } from "../../../src/data/packets/first-packets.ts";
import { startUnsettledQueue } from "../../../src/data/packets/unsettled-queue.ts";
import { holdEngineQuestions } from "../../../src/edge/kernel/flows/engine-queue.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { NetlinkSocket } from "../../../src/edge/kernel/netlink/socket.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { until } from "../../support/lab/command.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);
run("ip", "link", "set", "lo", "up");

const queueNumber = 88;
const mark = `0x${askedMark.toString(16)}`;
const notAsked = ["-m", "mark", "!", "--mark", `${mark}/${mark}`];

/** Has what is sent to this port wait in a queue, as often as it matches. */
function queued(port: number, queue: number, ...match: string[]): void {
  const rule = ["-p", "udp", "--dport", `${port}`, ...match, "-j", "NFQUEUE", "--queue-num", `${queue}`];
  run("iptables-nft", "-t", "mangle", "-A", "OUTPUT", ...rule);
}

/** The next verdict of a queue is not taken. */
function failNextVerdict(t: TestContext, queue: number): void {
  const request = NetlinkSocket.prototype.request;
  let isDue = true;
  t.mock.method(NetlinkSocket.prototype, "request", function (this: NetlinkSocket, ...args: [string]) {
    if (isDue && args[0] === `packet queue ${queue}`) {
      isDue = false;
      throw new Error("no buffer space");
    }
    return request.apply(this, args);
  });
}

/** Sends two packets, the second one once a problem was told. @returns those that came within the time of the second */
async function sendTwo(port: number, problems: readonly string[]): Promise<string[]> {
  const [sender, receiver] = [createSocket("udp4"), createSocket("udp4")];
  const received: string[] = [];
  receiver.on("message", (message) => received.push(String(message)));
  receiver.bind(port, "127.0.0.1");
  await once(receiver, "listening");
  sender.send("first", port, "127.0.0.1");
  await until("the failure", 5_000, () => (problems.length > 0 ? true : undefined));
  sender.send("second", port, "127.0.0.1");
  await until("the second one", 5_000, () => (received.includes("second") ? true : undefined));
  sender.close();
  receiver.close();
  return received;
}

test("a first packet whose verdict is not taken keeps no other from being judged", async (t) => {
  queued(9_001, queueNumber, ...notAsked);
  const problems: string[] = [];
  const readiness = createReadiness();
  t.after(() => readiness.close());
  startQueue({
    number: queueNumber,
    readiness,
    admission: { judge: () => true },
    indexNow: () => ({
      standingOfSource: () => ({ kind: "guarded", memberships: [], settled: true, mayLose: false }),
    }),
    onProblem: (problem) => problems.push(problem),
  });
  failNextVerdict(t, queueNumber);
  assert.deepEqual(await sendTwo(9_001, problems), ["second"]);
  assert.deepEqual(problems, ["first packets could not be read: no buffer space"]);
});

test("a packet of a new container whose verdict is not taken is dropped, and the next one is judged", async (t) => {
  const port = 7;
  const fromPort = `0x${((unsettledMark | port) >>> 0).toString(16)}`;
  const marked = ["-p", "udp", "--dport", "9002", "-j", "MARK", "--set-mark", fromPort];
  run("iptables-nft", "-t", "raw", "-A", "OUTPUT", ...marked);
  queued(9_002, unsettledQueueNumber(queueNumber), "-m", "mark", "--mark", fromPort);
  const problems: string[] = [];
  const readiness = createReadiness();
  t.after(() => readiness.close());
  const queue = startUnsettledQueue({
    queueNumber,
    readiness,
    lookNow: () => undefined,
    stateOf: (asked) => (asked === port ? "open" : "guarded"),
    onUnknown: () => undefined,
    onProblem: (problem) => problems.push(problem),
    nowMs: () => performance.now(),
  });
  t.after(() => queue.close());
  failNextVerdict(t, unsettledQueueNumber(queueNumber));
  assert.deepEqual(await sendTwo(9_002, problems), ["second"]);
  assert.deepEqual(problems, ["packets of new containers: no buffer space"]);
});

test("a question of the engine whose verdict is not taken is dropped, and the next one is judged", async (t) => {
  queued(9_003, engineQueueNumber(queueNumber), ...notAsked);
  const problems: string[] = [];
  const readiness = createReadiness();
  const sets = openKernelSets();
  createSets(sets);
  const end = startEngineQuestions({
    queueNumber,
    queue: holdEngineQuestions(queueNumber, sets),
    readiness,
    sets,
    lates: new LateCaptures(),
    captureNow: () => undefined,
    mayBeEngines: () => true,
    isEngineIdle: () => true,
    onUnknown: () => undefined,
    onProblem: (problem) => problems.push(problem),
  });
  t.after(() => {
    end("accept");
    readiness.close();
    sets.close();
  });
  failNextVerdict(t, engineQueueNumber(queueNumber));
  assert.deepEqual(await sendTwo(9_003, problems), ["second"]);
  assert.deepEqual(problems, ["questions of the engine: no buffer space"]);
});
