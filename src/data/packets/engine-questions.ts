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
import { engineQueueNumber } from "../../core/firewall/names.ts";
import type { OpenQueue, QueuedPacket } from "../../core/queued-packet.ts";
import { type Waiter, Waiting } from "../../core/waiting.ts";
import { after } from "../../edge/host/every.ts";
import {
  awakeEveryMs,
  decideQuestion,
  engineQueueLength,
  stayAwake,
} from "../../edge/kernel/flows/engine-queue.ts";
import { adoptQueue, type PacketQueue } from "../../edge/kernel/flows/queue.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { Readiness } from "../../edge/kernel/readiness.ts";
import { messageOf } from "../../errors.ts";

const overflows = declareCounter({
  name: "engine_questions_overflows",
  help: "How often lookups of the engine or the host passed unseen because we did not read them fast enough.",
  words: { one: "overflow of the queue of questions", many: "overflows of the queue of questions" },
});

const refused = declareCounter({
  name: "engine_questions_refused",
  help: "Lookups of the engine that were refused because the capture of a container came late, and a guarded one may have asked.",
  words: { one: "question of the engine refused", many: "questions of the engine refused" },
});

export interface EngineQuestionsOptions {
  /** That of first packets. */
  readonly queueNumber: number;
  /** What holdEngineQuestions() returned. */
  readonly queue: OpenQueue;
  readonly readiness: Readiness;
  readonly sets: KernelSets;
  readonly lates: LateCaptures;
  /** Captures what is not captured yet; done when it returns. */
  readonly captureNow: () => void;
  /** False when this IP packet, which was there by then (performance.now()), is certainly not the engine's. */
  readonly mayBeEngines: (packet: Uint8Array, arrivedAtMs: number) => boolean;
  /** False while the engine has something to do, as far as can be seen. */
  readonly isEngineIdle: () => boolean;
  /** A sender is not classified yet: the engine must be read. */
  readonly onUnknown: () => void;
  readonly onProblem: (problem: string) => void;
}

/** What is served at a go, each up to 256 questions; the rest waits until everybody else has had a turn. */
const batchesPerTurn = 4;
const idleEveryMs = 100;
/** No more than half of the queue are held, and those behind them refused: who floods opens no way past us. */
const heldAtMost = engineQueueLength / 2;
/** How often what waits is judged again, ms. */
const againEveryMs = 20;
/** How long a question waits for its asker to be classified, ms; Docker's own resolver gives up after 4 s. */
const knownWithinMs = 3_500;

/** One that waits until it is known whether a guarded container asked it. */
interface HeldQuestion extends Waiter {
  readonly packet: QueuedPacket;
}

/**
 * Begins to decide; from here on no question of the engine leaves without us.
 * @returns how to end it, and what becomes of questions that may be a guarded container's; all others pass
 */
export function startEngineQuestions(
  options: EngineQuestionsOptions,
): (suspicious: "accept" | "drop") => void {
  const questions = new EngineQuestions(options);
  return (suspicious) => questions.end(suspicious);
}

class EngineQuestions {
  readonly #options: EngineQuestionsOptions;
  readonly #queue: PacketQueue;
  readonly #held: Waiting<HeldQuestion>;
  readonly #unwatch: () => void;
  readonly #staying: NodeJS.Timeout;
  readonly #resting: NodeJS.Timeout;
  #isEnded = false;

  constructor(options: EngineQuestionsOptions) {
    const { readiness, sets, queueNumber, queue } = options;
    this.#options = options;
    this.#queue = adoptQueue(engineQueueNumber(queueNumber), queue);
    this.#held = new Waiting({
      perAsker: heldAtMost,
      inAll: heldAtMost,
      againEveryMs,
      look: options.captureNow,
      nowMs: () => performance.now(),
      after,
      onFailure: this.#tell,
    });
    this.#unwatch = readiness.watch(
      this.#queue.fd,
      contained(() => this.#serve(), this.#tell),
    );
    // What was read before makes no descriptor readable.
    if (queue.read.length > 0) setImmediate(contained(() => this.#serveUnlessEnded(), this.#tell));
    stayAwake(sets);
    this.#staying = setInterval(
      contained(() => stayAwake(sets), this.#tell),
      awakeEveryMs,
    );
    this.#resting = setInterval(
      contained(() => this.#rest(), this.#tell),
      idleEveryMs,
    );
  }

  end(suspicious: "accept" | "drop"): void {
    // Another file soon gets the number of a closed descriptor.
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearInterval(this.#staying);
    clearInterval(this.#resting);
    this.#unwatch();
    // Else the close would drop what came after the last look: lookups of the host's own, too.
    contain(() => this.#queue.takeNoMore(), this.#tell);
    contain(() => this.#serveAll(), this.#tell);
    const left = this.#held.end();
    if (suspicious === "accept") for (const { packet } of left) this.#queue.verdict(packet.id, "accept");
    this.#queue.close();
  }

  #serveUnlessEnded(): void {
    if (!this.#isEnded) this.#serve();
  }

  /** Decides on what has been sent by now. @returns whether that was everything */
  #serve(): boolean {
    let isEmpty = false;
    for (let batch = 0; batch < batchesPerTurn && !isEmpty; batch++) {
      const packets = this.#queue.receive();
      overflows.add(this.#queue.takeOverflows());
      isEmpty = packets.length === 0;
      if (!isEmpty) this.#serveBatch(packets);
    }
    return isEmpty;
  }

  #serveAll(): void {
    while (!this.#serve());
  }

  #serveBatch(packets: readonly QueuedPacket[]): void {
    const arrivedAtMs = performance.now();
    this.#look();
    const suspicion = this.#options.lates.suspect(performance.now());
    const nothing: Suspicion = { suspects: [] };
    for (const packet of packets) {
      const suspicious = suspicion.suspects.length > 0 && this.#mayBeEngines(packet.payload, arrivedAtMs);
      this.#take(this.#heldQuestion(packet, suspicious ? suspicion : nothing, arrivedAtMs));
    }
  }

  /** Decides on it now, or with what is learnt soon. */
  #take(question: HeldQuestion): void {
    if (question.decide() === "decided") return;
    if (!this.#held.add(question)) contain(() => question.refuse(), this.#tell);
    contain(this.#options.onUnknown, this.#tell);
  }

  #heldQuestion(packet: QueuedPacket, suspicion: Suspicion, arrivedAtMs: number): HeldQuestion {
    return {
      packet,
      asker: "engine",
      deadlineAtMs: arrivedAtMs + knownWithinMs,
      decide: () => this.#decide(packet, suspicion),
      refuse: () => this.#send(packet, "refused"),
    };
  }

  /** A question of which it cannot be told what becomes of it is dropped: it keeps no place, and no other waiting. */
  #decide(packet: QueuedPacket, suspicion: Suspicion): "decided" | "waits" {
    try {
      const verdict = judge(suspicion);
      if (verdict === "waits") return "waits";
      this.#send(packet, verdict);
    } catch (error) {
      tellFailure(error, this.#tell);
      contain(() => this.#queue.verdict(packet.id, "drop"), this.#tell);
    }
    return "decided";
  }

  #send(packet: QueuedPacket, verdict: "passes" | "refused"): void {
    if (verdict === "refused") {
      refused.add();
      this.#options.onProblem("a lookup of the engine was refused: the capture of a container came late");
    }
    decideQuestion(this.#queue, packet, verdict);
  }

  /** What cannot be told is the engine's. */
  #mayBeEngines(packet: Uint8Array, arrivedAtMs: number): boolean {
    try {
      return this.#options.mayBeEngines(packet, arrivedAtMs);
    } catch (error) {
      this.#tell(error);
      return true;
    }
  }

  /** Lets go whom the engine cannot be holding a question of any more. */
  #rest(): void {
    const { lates, isEngineIdle } = this.#options;
    if (!lates.isSuspicious) return;
    const nowMs = performance.now();
    const idle = isEngineIdle();
    // What the engine had sent by then is in the queue at the latest.
    if (this.#serve()) lates.release(nowMs, idle);
  }

  #look(): void {
    contain(this.#options.captureNow, this.#tell);
  }

  readonly #tell = (error: unknown): void =>
    this.#options.onProblem(`questions of the engine: ${messageOf(error)}`);
}
