// Lookups to a resolver while a daemon starts. The engine's wait for the data plane, which knows whose they are. It starts
// when the engine answers, and an engine may start all of its containers first, for as long as that takes; the host's own
// lookups do not wait for that.

import { contain, contained, type OnFailure, tellFailure } from "../../core/contain.ts";
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
import type { Readiness } from "../../edge/kernel/readiness.ts";

export interface EarlyQuestions {
  /** Nothing is read, passed or kept up here any more. @returns the queue as it is now, where there is one */
  handOver(): OpenQueue | undefined;
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

/** Lets lookups pass that are certainly not the engine's, for as long as nobody else reads the queue. */
export function passHostQuestions(options: EarlyQuestionsOptions): EarlyQuestions {
  return new PassingQuestions(options);
}

/** The kernel holds the engine's questions by their sender: it goes on for as long as the engine keeps us waiting. */
export function keepEngineHeld(sets: KernelSets, onFailure: OnFailure): EarlyQuestions {
  const keeping = repeat(() => keepHeld(sets), onFailure);
  contain(() => keepHeld(sets), onFailure);
  return {
    handOver() {
      keeping[Symbol.dispose]();
      return undefined;
    },
  };
}

class PassingQuestions implements EarlyQuestions {
  readonly #options: EarlyQuestionsOptions;
  readonly #queue: PacketQueue;
  readonly #kept: QueuedPacket[] = [];
  readonly #unwatch: () => void;
  readonly #staying: Disposable;

  constructor(options: EarlyQuestionsOptions) {
    const { queueNumber, queue, sets, readiness, onFailure } = options;
    this.#options = options;
    this.#queue = adoptQueue(engineQueueNumber(queueNumber), queue);
    this.#unwatch = readiness.watch(
      queue.fd,
      contained(() => this.#serve(), onFailure),
      false,
    );
    this.#staying = repeat(() => stayAwakeIfAdopted(sets), onFailure);
  }

  handOver(): OpenQueue {
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

/** While something else keeps the process alive. */
function repeat(work: () => void, onFailure: OnFailure): Disposable {
  return every({ everyMs: awakeEveryMs, work, onFailure, keepsAlive: false });
}
