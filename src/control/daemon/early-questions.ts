// Lookups to a resolver while a daemon starts. The engine's wait for the data plane, which knows whose they are. It starts
// when the engine answers, and an engine may start all of its containers first, for as long as that takes; the host's own
// lookups do not wait for that.

import { contain, type OnFailure, tellFailure } from "../../core/contain.ts";
import { engineQueueNumber } from "../../core/firewall/names.ts";
import type { OpenQueue, QueuedPacket } from "../../core/queued-packet.ts";
import { every } from "../../edge/host/every.ts";
import {
  awakeEveryMs,
  decideQuestion,
  engineQueueLength,
  keepHeld,
  stayAwakeIfAdopted,
} from "../../edge/kernel/flows/engine-queue.ts";
import { adoptQueue, type PacketQueue } from "../../edge/kernel/flows/queue.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { isSwitchedOn } from "../../edge/kernel/ipset/switch-set.ts";
import type { Readiness } from "../../edge/kernel/readiness.ts";

export interface EarlyQuestions {
  /**
   * Decides on what waits now. To be called by who keeps this thread busy for long: the host's own lookups wait meanwhile.
   * Never throws.
   */
  serve(): void;
  /** Nothing is read, passed or kept up here any more. @returns the queue as it is now */
  handOver(): OpenQueue;
}

export interface EarlyQuestionsOptions {
  /** That of first packets. */
  readonly queueNumber: number;
  /** What holdEngineQuestions() returned. */
  readonly queue: OpenQueue;
  readonly sets: KernelSets;
  readonly readiness: Readiness;
  /** False when this IP packet, which was there by then (performance.now()), is certainly not the engine's. */
  readonly mayBeEngines: (packet: Uint8Array, arrivedAtMs: number) => boolean;
  readonly onFailure: OnFailure;
}

/** As many as the data plane holds; those behind them are refused: who floods opens no way past us. */
const keptAtMost = engineQueueLength / 2;

/**
 * Lets lookups pass that are certainly not the engine's, for as long as nobody else reads the queue. Where the kernel holds
 * the engine's by their sender, it goes on for as long as the engine keeps us waiting.
 */
export function passHostQuestions(options: EarlyQuestionsOptions): EarlyQuestions {
  return new PassingQuestions(options);
}

class PassingQuestions implements EarlyQuestions {
  readonly #options: EarlyQuestionsOptions;
  readonly #queue: PacketQueue;
  readonly #kept: QueuedPacket[] = [];
  readonly #unwatch: () => void;
  readonly #staying: Disposable;
  #isHandedOver = false;

  constructor(options: EarlyQuestionsOptions) {
    const { queueNumber, queue, sets, readiness, onFailure } = options;
    this.#options = options;
    this.#queue = adoptQueue(engineQueueNumber(queueNumber), queue);
    this.#unwatch = readiness.watch(queue.fd, () => this.serve(), false);
    const isHeld = isSwitchedOn(sets, "held");
    const stay = (): void => {
      stayAwakeIfAdopted(sets);
      if (isHeld) keepHeld(sets);
    };
    contain(stay, onFailure);
    this.#staying = every({ everyMs: awakeEveryMs, work: stay, onFailure, keepsAlive: false });
  }

  serve(): void {
    if (!this.#isHandedOver) contain(() => this.#serve(), this.#options.onFailure);
  }

  handOver(): OpenQueue {
    this.#isHandedOver = true;
    this.#unwatch();
    this.#staying[Symbol.dispose]();
    return { fd: this.#queue.fd, read: this.#kept, overflows: this.#queue.takeOverflows() };
  }

  #serve(): void {
    const arrivedAtMs = performance.now();
    for (const packet of this.#queue.receive())
      contain(() => this.#decide(packet, arrivedAtMs), this.#options.onFailure);
  }

  #decide(packet: QueuedPacket, arrivedAtMs: number): void {
    if (!this.#mayBeEngines(packet, arrivedAtMs)) decideQuestion(this.#queue, packet, "passes");
    else if (this.#kept.length < keptAtMost) this.#kept.push(packet);
    else decideQuestion(this.#queue, packet, "refused");
  }

  /** What cannot be told is the engine's. */
  #mayBeEngines({ payload }: QueuedPacket, arrivedAtMs: number): boolean {
    try {
      return this.#options.mayBeEngines(payload, arrivedAtMs);
    } catch (error) {
      tellFailure(error, this.#options.onFailure);
      return true;
    }
  }
}
