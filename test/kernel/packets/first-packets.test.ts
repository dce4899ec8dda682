// The queue of first packets, when something fails: the packet does not pass, which is logged, and the next is judged. And
// when it is not known yet who sends.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import type { GuardedStanding } from "../../../src/core/askers/standing.ts";
import { askedMark } from "../../../src/core/firewall/names.ts";
import { type QueueOptions, startQueue } from "../../../src/data/packets/first-packets.ts";
import { createReadiness } from "../../../src/edge/kernel/readiness.ts";
import { until } from "../../support/lab/command.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const number = 88;
const port = 9_000;
const mark = `0x${askedMark.toString(16)}`;

const problems: string[] = [];
const received: string[] = [];
const guarded: GuardedStanding = { kind: "guarded", memberships: [], settled: true, mayLose: false };
let standingOfSource: () => GuardedStanding;
let judge: QueueOptions["admission"]["judge"];

/** Packets in the queue. */
const waiting = (): number => {
  const row = readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8").trim().split(/\s+/);
  return Number(row[2]);
};

const readiness = createReadiness();
const [sender, receiver] = [createSocket("udp4"), createSocket("udp4")];
const send = (text: string): void => sender.send(text, port, "127.0.0.1");
const untilReceived = (text: string): Promise<true> =>
  until(text, 3_000, () => (received.includes(text) ? true : undefined));

before(async () => {
  const queued = ["!", "--mark", `${mark}/${mark}`, "-j", "NFQUEUE", "--queue-num", `${number}`];
  const packets = ["-p", "udp", "--dport", `${port}`, "-m", "mark", ...queued];
  run("iptables-nft", "-t", "mangle", "-A", "OUTPUT", ...packets);
  startQueue({
    number,
    readiness,
    admission: { judge: (...packet) => judge(...packet) },
    indexNow: () => ({ standingOfSource: () => standingOfSource() }),
    onProblem: (problem) => problems.push(problem),
  });
  receiver.on("message", (message) => received.push(message.toString()));
  receiver.bind(port, "127.0.0.1");
  await once(receiver, "listening");
});

beforeEach(() => {
  received.length = 0;
  problems.length = 0;
  judge = () => true;
});

after(() => {
  readiness.close();
  sender.close();
  receiver.close();
});

test("a first packet whose judgement fails is dropped, and the next one is judged", async () => {
  standingOfSource = () => {
    standingOfSource = () => guarded;
    throw new Error("a set is missing");
  };
  send("first");
  await until("the first one", 3_000, () => (problems.length > 0 ? true : undefined));
  send("second");
  await untilReceived("second");
  assert.deepEqual(received, ["second"]);
  assert.deepEqual(problems, ["a first packet was refused: a set is missing"]);
});

test("of a container that may lose what its network has, nothing is granted to a first packet: it is dropped, and the next one judged once it is known", async () => {
  const judged: (number | undefined)[] = [];
  judge = ({ port: its }) => {
    judged.push(its);
    return true;
  };
  let asked = 0;
  standingOfSource = () => {
    asked += 1;
    return { ...guarded, settled: false, mayLose: true };
  };
  for (const text of ["first", "second"]) send(text);
  await until("both", 3_000, () => (asked === 2 ? true : undefined));
  assert.deepEqual(judged, []);
  standingOfSource = () => guarded;
  send("third");
  await untilReceived("third");
  assert.deepEqual([received, judged, problems], [["third"], [port], []]);
  assert.equal(asked, 2, "neither comes back by itself");
});

test("of what comes while we do not read, so much waits as the kernel has memory for, each 64 KB long", async () => {
  let asked = 0;
  standingOfSource = () => {
    asked += 1;
    return { ...guarded, settled: false, mayLose: true };
  };
  const flood = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
# SO_SNDBUFFORCE: what waits is still its own.
s.setsockopt(socket.SOL_SOCKET, 32, 1 << 26)
for _ in range(6000):
    try:
        s.sendto(b"first", ("127.0.0.1", ${port}))
    except PermissionError:
        pass
`;
  run("python3", "-c", flood);
  await until("all that waited", 5_000, () => (waiting() === 0 ? true : undefined));
  assert.equal(asked, 4_096);
});
