// The kernel's tables that may be full, and the packets that our queues dropped, as `status` tells of them.

import { declareCounter } from "../../core/counters/registry.ts";
import type { Family } from "../../core/model/address.ts";
import { createRecentDrops, fullTables, type TableReadings } from "../../core/status/full-tables.ts";

const droppedPackets = declareCounter({
  name: "queue_dropped_packets",
  help: "Packets that the kernel dropped, by its own count, because too many waited in our packet queues (NFQUEUE).",
  words: { one: "packet dropped by a full queue", many: "packets dropped by full queues" },
});

export class TableWatch {
  readonly #read: () => TableReadings;
  readonly #recentDrops = createRecentDrops();
  /** From the first look on: the kernel counts since the start of the host. */
  #recentlyRefused: Readonly<Record<Family, ReturnType<typeof createRecentDrops>>> | undefined;
  /** Packets that our queues had dropped at the last look, by the kernel's count. */
  #dropped = 0;

  constructor(read: () => TableReadings) {
    this.#read = read;
  }

  /** Counts what was dropped since the last look. @returns one sentence for each table that is full */
  look(nowMs: number): readonly string[] {
    const readings = this.#read();
    const { queueDropped, neighboursRefused } = readings;
    // The kernel's counter restarts with its queue.
    droppedPackets.add(queueDropped - (queueDropped < this.#dropped ? 0 : this.#dropped));
    this.#dropped = queueDropped;
    const recently = this.#recentlyRefused ?? {
      4: createRecentDrops(neighboursRefused[4]),
      6: createRecentDrops(neighboursRefused[6]),
    };
    this.#recentlyRefused = recently;
    const refused = (family: Family): number => recently[family](neighboursRefused[family], nowMs);
    return fullTables({
      ...readings,
      queueDropped: this.#recentDrops(queueDropped, nowMs),
      neighboursRefused: { 4: refused(4), 6: refused(6) },
    });
  }
}
