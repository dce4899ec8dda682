// The kernel's tables that may be full, and the packets that our queues dropped, as `status` tells of them.

import { declareCounter } from "../../core/counters/registry.ts";
import type { Family } from "../../core/model/address.ts";
import { createRecentDrops, fullTables, type TableReadings } from "../../core/status/full-tables.ts";

const droppedPackets = declareCounter({
  name: "queue_dropped_packets",
  help: "Packets that the kernel dropped, by its own count, because too many waited in our packet queues (NFQUEUE).",
  words: { one: "packet dropped by a full queue", many: "packets dropped by full queues" },
});

interface WatchedQueue {
  /** Packets that it had dropped, by the kernel's count. */
  readonly dropped: number;
  readonly recent: ReturnType<typeof createRecentDrops>;
}

export class TableWatch {
  readonly #read: () => TableReadings;
  /** From the first look on: the kernel counts since the start of the host. */
  #recentlyRefused: Readonly<Record<Family, ReturnType<typeof createRecentDrops>>> | undefined;
  /** Of each queue that there was at the last look. The kernel's count starts with its queue, and anew with another. */
  #queues: ReadonlyMap<number, WatchedQueue> = new Map();

  constructor(read: () => TableReadings) {
    this.#read = read;
  }

  /** Counts what was dropped since the last look. @returns one sentence for each table that is full */
  look(nowMs: number): readonly string[] {
    const readings = this.#read();
    const { neighboursRefused } = readings;
    const recently = this.#recentlyRefused ?? {
      4: createRecentDrops(neighboursRefused[4]),
      6: createRecentDrops(neighboursRefused[6]),
    };
    this.#recentlyRefused = recently;
    const refused = (family: Family): number => recently[family](neighboursRefused[family], nowMs);
    return fullTables({
      ...readings,
      queuesDropped: this.#lookAtQueues(readings.queuesDropped, nowMs),
      neighboursRefused: { 4: refused(4), 6: refused(6) },
    });
  }

  /** @returns what each has dropped lately */
  #lookAtQueues(now: ReadonlyMap<number, number>, nowMs: number): ReadonlyMap<number, number> {
    const before = this.#queues;
    this.#queues = new Map(
      [...now].map(([number, dropped]) => {
        const { dropped: last = 0, recent = createRecentDrops() } = before.get(number) ?? {};
        droppedPackets.add(dropped - (dropped < last ? 0 : last));
        return [number, { dropped, recent }];
      }),
    );
    return new Map(
      [...this.#queues].map(([number, { dropped, recent }]) => [number, recent(dropped, nowMs)]),
    );
  }
}
