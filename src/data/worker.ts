// The data plane: one worker thread that owns the DNS sockets, the decision and the grants. It decides by the
// last picture that the control plane posted, tells it in batches what happened, and never waits for it.

import { parentPort, workerData } from "node:worker_threads";
import { readCounters } from "../core/counters/registry.ts";
import type { OpenQueue } from "../core/queued-packet.ts";
import { watchHostAddresses } from "../edge/host/address-watch.ts";
import { after, every } from "../edge/host/every.ts";
import { DockerwallError, messageOf } from "../errors.ts";
import type { DataPlaneSettings, FromDataPlane, ToDataPlane } from "../planes/messages.ts";
import { warmUp } from "./warm-up.ts";
import { followHostAddresses, gatherHostAddresses } from "./worker/host-addresses.ts";
import { createMessageTaker } from "./worker/messages.ts";
import type { PlaneParts } from "./worker/parts.ts";
import { startPlane } from "./worker/plane.ts";
import { createTelling, type Telling } from "./worker/telling.ts";

/** How long lookups are gathered before the control plane hears of them. */
const journalEveryMs = 200;
/** How often the host's own addresses are read again, were a change of them not told, and run-out grants forgotten. */
const housekeepingEveryMs = 30_000;
/** Longest that we warm up before the first lookup, ms: a start waits for it. */
const warmWithinMs = 250;
/** How soon rights that another program took out of the kernel's sets are back. */
const healEveryMs = 2_000;
/** How soon what another program has put into them is out again; with some ten thousand entries, later. */
const takeEveryMs = 5_000;

const port = parentPort;
if (port === null) throw new DockerwallError("INTERNAL", "data/worker.ts runs as a worker thread only");
const settings = workerData as DataPlaneSettings;
const telling = createTelling((message: FromDataPlane) => port.postMessage(message));
port.on("message", ({ kind }: ToDataPlane) => {
  if (kind === "end") process.exit();
});

/** Who has read the questions of the engine until now hands them over. @returns the queue in which they wait */
async function takeQuestions(): Promise<OpenQueue | undefined> {
  const { promise, resolve } = Promise.withResolvers<OpenQueue | undefined>();
  const take = (message: ToDataPlane): void => {
    if (message.kind === "questions") resolve(message.queue);
  };
  port?.on("message", take);
  telling.tell({ kind: "takes-questions" });
  const queue = await promise;
  port?.off("message", take);
  return queue;
}

async function start(): Promise<void> {
  await warmUp({ settings, withinMs: warmWithinMs });
  const parts = await startPlane(settings, telling, takeQuestions);
  // After all else that this thread does to the sets at its end.
  process.once("exit", () => parts.sets.close());
  port?.on("message", createMessageTaker(parts));
  // All of it lasts as long as the thread.
  const repeat = (everyMs: number, work: () => unknown): void =>
    void every({ everyMs, work, onFailure: telling.failure });
  repeat(journalEveryMs, createJournal(parts, telling));
  const follow = (): void => followHostAddresses(parts);
  const onFailure = telling.failure;
  const onChange = gatherHostAddresses(parts, { after, onFailure });
  watchHostAddresses({ readiness: parts.readiness, onChange, onFailure });
  // What changed before it was watched.
  follow();
  repeat(housekeepingEveryMs, follow);
  repeat(housekeepingEveryMs, () => parts.admission.sweep());
  repeat(healEveryMs, () => healRights(parts, telling));
  repeat(takeEveryMs, () => takeUnknown(parts));
  telling.tell({ kind: "ready" });
}

function healRights({ admission }: PlaneParts, { problem }: Telling): void {
  const count = admission.heal();
  if (count > 0) problem(`another program emptied sets of ours; ${count} rights are back in them`);
}

/** What was opened by it is judged as by a change of policy. */
async function takeUnknown({ admission, cutFlows, telling }: PlaneParts): Promise<void> {
  const askers = await admission.takeUnknown();
  if (askers.size === 0) return;
  const cut = cutFlows(askers).length;
  telling.problem(
    `another program put rights into sets of ours that nobody was granted, of ${askers.size} addresses; they are out again, and ${cut} open flows were cut`,
  );
}

/** Tells how things stand where that is another than before, and which lookups are over. */
function createJournal({ answerer }: PlaneParts, { tell, flush }: Telling): () => void {
  let told = "";
  return () => {
    const now = { report: answerer.stats(), counters: readCounters() };
    const text = JSON.stringify(now);
    if (text !== told) tell({ kind: "resolver", ...now });
    told = text;
    flush();
  };
}

start().catch((error: unknown) => {
  const code = error instanceof DockerwallError ? error.code : "INTERNAL";
  telling.tell({ kind: "failed", code, message: messageOf(error) });
});
