// The queue of first packets, when something fails: the packet does not pass, which is logged, and the next is judged.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { askedMark } from "../../src/core/firewall/names.ts";
import { startQueue } from "../../src/data/packets/first-packets.ts";
import { createReadiness } from "../../src/edge/kernel/readiness.ts";
import { until } from "../support/lab/command.ts";
import { enterNamespaces, run } from "../support/namespace.ts";

enterNamespaces(import.meta.url);

const number = 88;
const port = 9_000;
const mark = `0x${askedMark.toString(16)}`;

test("a first packet whose judgement fails is dropped, and the next one is judged", async () => {
  const queued = ["!", "--mark", `${mark}/${mark}`, "-j", "NFQUEUE", "--queue-num", `${number}`];
  run(
    "iptables-nft",
    "-t",
    "mangle",
    "-A",
    "OUTPUT",
    "-p",
    "udp",
    "--dport",
    `${port}`,
    "-m",
    "mark",
    ...queued,
  );
  const problems: string[] = [];
  let judged = 0;
  const readiness = createReadiness();
  startQueue({
    number,
    readiness,
    admission: { judge: () => true },
    indexNow: () => ({
      standingOfSource() {
        judged += 1;
        if (judged === 1) throw new Error("a set is missing");
        return { kind: "guarded", memberships: [], settled: true, mayLose: false };
      },
    }),
    onProblem: (problem) => problems.push(problem),
  });
  const [sender, receiver] = [createSocket("udp4"), createSocket("udp4")];
  const received: string[] = [];
  receiver.on("message", (message) => received.push(message.toString()));
  receiver.bind(port, "127.0.0.1");
  await once(receiver, "listening");
  sender.send("first", port, "127.0.0.1");
  await until("the first one", 3_000, () => (problems.length > 0 ? true : undefined));
  sender.send("second", port, "127.0.0.1");
  await until("the second one", 3_000, () => (received.length > 0 ? true : undefined));
  assert.deepEqual(received, ["second"]);
  assert.deepEqual(problems, ["a first packet was refused: a set is missing"]);
  readiness.close();
  sender.close();
  receiver.close();
});
