// Lookups that the engine's own resolver makes upstream for containers, and that the host's OUTPUT passes to us. By the
// time that a question gets here, the container that asked it has a sandbox. So we look, capture what we have not
// captured, and know whether the question may be a guarded container's. However late we are, the question waits; its
// asker is never faster than we are.
//
//   A question passes at once if no capture came late, which is nearly always so.
//   If one did, the question waits until that sandbox is known, and is refused if the sandbox is guarded.
//   Only the engine's questions are refused or held: the host's own lookups pass.

import { judge, type LateCaptures, type Suspicion } from "../../core/askers/late-captures.ts";
import { contain, contained, tellFailure } from "../../core/contain.ts";
import { declareCounter } from "../../core/counters/registry.ts";
import { askedMark, engineQueueNumber, rejectedMark } from "../../core/firewall/names.ts";
import { awakeEveryMs, engineQueueLength, stayAwake } from "../../edge/kernel/flows/engine-queue.ts";
import { adoptQueue, type QueuedPacket } from "../../edge/kernel/flows/queue.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { Readiness } from "../../edge/kernel/readiness.ts";
import { messageOf } from "../../errors.ts";

const overflows = declareCounter({
  name: "engine_questions_overflows",
  help: "How often lookups of the engine or the host passed unseen because we did not read them fast enough.",
  words: { one: "overflow of the queue of questions", many: "overflows of the queue of questions" },
});

export interface EngineQuestionsOptions {
  /** That of first packets. */
  readonly queueNumber: number;
  /** What holdEngineQuestions() returned. */
  readonly queueFd: number;
  readonly readiness: Readiness;
  readonly sets: KernelSets;
  readonly lates: LateCaptures;
  /** Captures what is not captured yet; done when it returns. */
  readonly captureNow: () => void;
  /** False when this IP packet, which was there by then (performance.now()), is certainly not the engine's. */
  readonly mayBeEngines: (packet: Uint8Array, arrivedAtMs: number) => boolean;
  /** False while the engine has something to do, as far as can be seen. */
  readonly isEngineIdle: () => boolean;
  /** It is not known where somebody stands: the engine must be read. */
  readonly onUnknown: () => void;
  readonly onProblem: (problem: string) => void;
}

/** Of the engine's no more than half of the queue are held, and those behind them refused: who floods opens no way past us. */
const heldAtMost = engineQueueLength / 2;
/** What is served at a go, each up to 256 questions; the rest waits until everybody else has had a turn. */
const batchesPerTurn = 4;
/** How often what waits is judged again. */
const againEveryMs = 20;
const idleEveryMs = 100;

interface Held {
  readonly packet: QueuedPacket;
  readonly suspicion: Suspicion;
}

/**
 * Begins to decide; from here on no question of the engine leaves without us.
 * @returns how to end it, and what becomes of questions that may be a guarded container's; all others pass
 */
export function startEngineQuestions(
  options: EngineQuestionsOptions,
): (suspicious: "accept" | "drop") => void {
  const { lates, sets } = options;
  const queue = adoptQueue(engineQueueNumber(options.queueNumber), options.queueFd);
  let held: Held[] = [];
  let isTimed = false;
  let ended = false;

  function decide({ packet, suspicion }: Held): "decided" | "waits" {
    const verdict = judge(suspicion, performance.now());
    if (verdict === "waits") return "waits";
    send(packet, verdict);
    return "decided";
  }

  function send(packet: QueuedPacket, verdict: "passes" | "refused"): void {
    if (verdict === "refused")
      options.onProblem("a lookup of the engine was refused: the capture of a container came late");
    // Through the same hook once more: the rules of others behind ours must see it too.
    queue.verdict(packet.id, "repeat", packet.mark | askedMark | (verdict === "refused" ? rejectedMark : 0));
  }

  function judgeAgain(): void {
    isTimed = false;
    if (ended) return;
    look();
    held = held.filter((question) => decideSafely(question) === "waits");
    if (held.length > 0) waitFurther();
  }

  function waitFurther(): void {
    if (!isTimed) setTimeout(contained(judgeAgain, told), againEveryMs);
    isTimed = true;
  }

  /** A question of which it cannot be told what becomes of it is dropped: it keeps no place, and no other waiting. */
  function decideSafely(question: Held): "decided" | "waits" {
    try {
      return decide(question);
    } catch (error) {
      tellFailure(error, told);
      contain(() => queue.verdict(question.packet.id, "drop"), told);
      return "decided";
    }
  }

  const told = (error: unknown): void => options.onProblem(`questions of the engine: ${messageOf(error)}`);
  const look = (): void => contain(options.captureNow, told);

  /** What cannot be told is the engine's. */
  function mayBeEngines(packet: Uint8Array, arrivedAtMs: number): boolean {
    try {
      return options.mayBeEngines(packet, arrivedAtMs);
    } catch (error) {
      told(error);
      return true;
    }
  }

  /** Decides on what has been sent by now. @returns whether that was everything */
  function serve(): boolean {
    let isEmpty = false;
    for (let batch = 0; batch < batchesPerTurn && !isEmpty; batch++) {
      const packets = queue.receive();
      overflows.add(queue.takeOverflows());
      isEmpty = packets.length === 0;
      if (!isEmpty) serveBatch(packets);
    }
    if (held.length > 0 && !ended) waitFurther();
    return isEmpty;
  }

  function serveBatch(packets: readonly QueuedPacket[]): void {
    const arrivedAtMs = performance.now();
    look();
    const suspicion = lates.suspect(performance.now());
    const nothing: Suspicion = { ...suspicion, suspects: [] };
    for (const packet of packets) {
      const suspicious = suspicion.suspects.length > 0 && mayBeEngines(packet.payload, arrivedAtMs);
      const question = { packet, suspicion: suspicious ? suspicion : nothing };
      if (decideSafely(question) === "waits") wait(question);
    }
  }

  function wait(question: Held): void {
    if (held.length < heldAtMost) held.push(question);
    else contain(() => send(question.packet, "refused"), told);
    contain(options.onUnknown, told);
  }

  /** Lets go whom the engine cannot be holding a question of any more. */
  function rest(): void {
    if (!lates.isSuspicious) return;
    const nowMs = performance.now();
    const idle = options.isEngineIdle();
    // What the engine had sent by then is in the queue at the latest.
    if (serve()) lates.release(nowMs, idle);
  }

  const unwatch = options.readiness.watch(queue.fd, contained(serve, told));
  stayAwake(sets);
  const staying = setInterval(
    contained(() => stayAwake(sets), told),
    awakeEveryMs,
  );
  const resting = setInterval(contained(rest, told), idleEveryMs);
  return (suspicious) => {
    // The number of a closed descriptor is soon somebody else's.
    if (ended) return;
    ended = true;
    clearInterval(staying);
    clearInterval(resting);
    unwatch();
    contain(serve, told);
    if (suspicious === "accept") for (const { packet } of held) queue.verdict(packet.id, "accept");
    held = [];
    queue.close();
  };
}
