// Lookups to a resolver while a daemon starts. The engine's wait for the data plane, which knows whose they are. It starts
// when the engine answers, and an engine may start all of its containers first; the host's own lookups do not wait for
// that.

import { contained, type OnFailure } from "../../core/contain.ts";
import { askedMark, engineQueueNumber } from "../../core/firewall/names.ts";
import type { OpenQueue, QueuedPacket } from "../../core/queued-packet.ts";
import { engineQueueLength } from "../../edge/kernel/flows/engine-queue.ts";
import { adoptQueue } from "../../edge/kernel/flows/queue.ts";
import type { Readiness } from "../../edge/kernel/readiness.ts";

export interface EarlyQuestions {
  /** Nothing is read or passed here any more. @returns the queue as it is now */
  handOver(): OpenQueue;
}

export interface EarlyQuestionsOptions {
  /** That of first packets. */
  readonly queueNumber: number;
  /** What holdEngineQuestions() returned. */
  readonly queue: OpenQueue;
  readonly readiness: Readiness;
  /** False when this IP packet, which was there by then (performance.now()), is certainly not the engine's. */
  readonly mayBeEngines: (packet: Uint8Array, arrivedAtMs: number) => boolean;
  readonly onFailure: OnFailure;
}

/** More stays where it is, and what finds no place there passes. */
const keptAtMost = engineQueueLength / 2;

/** Lets lookups pass that are certainly not the engine's, for as long as nobody else reads the queue. */
export function passHostQuestions(options: EarlyQuestionsOptions): EarlyQuestions {
  const { queueNumber, queue: open, readiness, mayBeEngines, onFailure } = options;
  const queue = adoptQueue(engineQueueNumber(queueNumber), open);
  const kept: QueuedPacket[] = [];

  function serve(): void {
    const arrivedAtMs = performance.now();
    for (const packet of queue.receive()) {
      if (isEngines(packet.payload, arrivedAtMs)) kept.push(packet);
      // Through the same hook once more: the rules of others behind ours must see it too.
      else queue.verdict(packet.id, "repeat", packet.mark | askedMark);
    }
    if (kept.length >= keptAtMost) unwatch();
  }

  /** What cannot be told is the engine's. */
  function isEngines(packet: Uint8Array, arrivedAtMs: number): boolean {
    try {
      return mayBeEngines(packet, arrivedAtMs);
    } catch (error) {
      onFailure(error);
      return true;
    }
  }

  const unwatch = readiness.watch(open.fd, contained(serve, onFailure), false);
  return {
    handOver() {
      unwatch();
      return { fd: open.fd, read: kept, overflows: queue.takeOverflows() };
    },
  };
}
