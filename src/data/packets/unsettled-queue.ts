// The queue in which packets from unsettled ports wait. However late we are, they wait: we look which ports exist by
// then, capture what is not captured, and know for each port whether it may be a guarded container's.

import { type PacketVerdict, type PortState, UnsettledPackets } from "../../core/askers/unsettled.ts";
import { contain, contained } from "../../core/contain.ts";
import { declareCounter } from "../../core/counters/registry.ts";
import { unsettledMark, unsettledQueueNumber } from "../../core/firewall/names.ts";
import { openOwnQueue, type PacketQueue, type QueuedPacket } from "../../edge/kernel/flows/queue.ts";
import type { Readiness } from "../../edge/kernel/readiness.ts";
import { messageOf } from "../../errors.ts";

const overflows = declareCounter({
  name: "unsettled_packets_overflows",
  help: "How often packets of new containers were dropped because we did not read them fast enough.",
  words: { one: "overflow of the queue of new containers", many: "overflows of the queue of new containers" },
});
const dropped = declareCounter({
  name: "unsettled_packets_dropped",
  help: "Packets of new containers dropped before it was known whose they are: too many waited, or for too long.",
  words: { one: "packet of a new container dropped", many: "packets of new containers dropped" },
});

export interface UnsettledQueueOptions {
  /** That of first packets. */
  readonly queueNumber: number;
  readonly readiness: Readiness;
  /** Takes in which sandboxes and ports there are; done when it returns. */
  readonly lookNow: () => void;
  readonly stateOf: (port: number) => PortState;
  /** It is not known where somebody stands: the engine must be read. */
  readonly onUnknown: () => void;
  readonly onProblem: (problem: string) => void;
  readonly nowMs: () => number;
}

export interface UnsettledQueue {
  /** To be called when more may be known. */
  judge(): void;
  /** What waits is dropped; nobody else waits from now on. */
  close(): void;
}

/** More are dropped by the kernel. */
const maxLength = 8192;
/** Whose a packet is, its mark tells: nothing of it is looked at. */
const copyBytes = 20;
const batchesPerTurn = 4;
/** How often what waits is judged again, as a sandbox may have come without a word of the engine's. */
const againEveryMs = 20;

/** Begins to take packets. */
export function startUnsettledQueue(options: UnsettledQueueOptions): UnsettledQueue {
  return new KernelUnsettledQueue(options);
}

class KernelUnsettledQueue implements UnsettledQueue {
  readonly #options: UnsettledQueueOptions;
  readonly #queue: PacketQueue;
  readonly #packets = new UnsettledPackets();
  readonly #unwatch: () => void;
  /** While packets wait. */
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: UnsettledQueueOptions) {
    this.#options = options;
    this.#queue = openOwnQueue({ number: unsettledQueueNumber(options.queueNumber), maxLength, copyBytes });
    const serve = contained(() => this.#serve(), this.#tell);
    this.#unwatch = options.readiness.watch(this.#queue.fd, serve);
  }

  judge(): void {
    contain(() => this.#judgeNow(), this.#tell);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#unwatch();
    this.#queue.close();
  }

  #serve(): void {
    for (let batch = 0; batch < batchesPerTurn; batch++) {
      const received = this.#queue.receive();
      if (received.length === 0) break;
      for (const packet of received) this.#take(packet);
    }
    overflows.add(this.#queue.takeOverflows());
    this.#judgeNow();
    if (this.#packets.size > 0) this.#options.onUnknown();
  }

  #take({ id, mark }: QueuedPacket): void {
    const port = (mark ^ unsettledMark) >>> 0;
    if (this.#packets.add(id, port, this.#options.nowMs())) return;
    dropped.add();
    contain(() => this.#queue.verdict(id, "drop"), this.#tell);
  }

  #judgeNow(): void {
    if (this.#isClosed || this.#packets.size === 0) return;
    const { lookNow, stateOf, nowMs, onProblem } = this.#options;
    // Whatever fails now is judged again.
    this.#timer ??= setTimeout(() => this.#again(), againEveryMs);
    contain(lookNow, this.#tell);
    const decisions = this.#packets.decide(stateOf, nowMs());
    for (const decision of decisions) contain(() => this.#carryOut(decision), this.#tell);
    const late = decisions.filter(({ isLate }) => isLate).length;
    dropped.add(late);
    if (late > 0)
      onProblem(
        `${late} packets of a new container were dropped: the engine did not say in time whether it is on a guarded network`,
      );
  }

  #carryOut({ id, verdict }: PacketVerdict): void {
    // From its first rule on, as a packet that nobody has marked.
    if (verdict === "passes") this.#queue.verdict(id, "repeat", 0);
    else this.#queue.verdict(id, "drop");
  }

  #again(): void {
    this.#timer = undefined;
    this.judge();
  }

  readonly #tell = (error: unknown): void =>
    this.#options.onProblem(`packets of new containers: ${messageOf(error)}`);
}
