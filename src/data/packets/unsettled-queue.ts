// The queue in which packets from unsettled ports wait. However late we are, they wait: we look which ports exist by
// then, capture what is not captured, and know for each port whether it may be a guarded container's.

import { type PacketVerdict, type PortState, UnsettledPackets } from "../../core/askers/unsettled.ts";
import { contain, contained } from "../../core/contain.ts";
import { declareCounter } from "../../core/counters/registry.ts";
import { unsettledMark, unsettledQueueNumber } from "../../core/firewall/names.ts";
import { openOwnQueue, type QueuedPacket } from "../../edge/kernel/flows/queue.ts";
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

export function startUnsettledQueue(options: UnsettledQueueOptions): UnsettledQueue {
  const queue = openOwnQueue({
    number: unsettledQueueNumber(options.queueNumber),
    maxLength,
    copyBytes,
  });
  const packets = new UnsettledPackets();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const told = (error: unknown): void => options.onProblem(`packets of new containers: ${messageOf(error)}`);

  function serve(): void {
    for (let batch = 0; batch < batchesPerTurn; batch++) {
      const received = queue.receive();
      if (received.length === 0) break;
      for (const packet of received) take(packet);
    }
    overflows.add(queue.takeOverflows());
    judgeNow();
    if (packets.size > 0) options.onUnknown();
  }

  function take({ id, mark }: QueuedPacket): void {
    const port = (mark ^ unsettledMark) >>> 0;
    if (packets.add(id, port, options.nowMs())) return;
    dropped.add();
    contain(() => queue.verdict(id, "drop"), told);
  }

  function judgeNow(): void {
    if (closed || packets.size === 0) return;
    // Whatever fails now is judged again.
    timer ??= setTimeout(again, againEveryMs);
    contain(options.lookNow, told);
    const decisions = packets.decide(options.stateOf, options.nowMs());
    for (const decision of decisions) contain(() => carryOut(decision), told);
    const late = decisions.filter(({ isLate }) => isLate).length;
    dropped.add(late);
    if (late > 0)
      options.onProblem(
        `${late} packets of a new container were dropped: the engine did not say in time whether it is on a guarded network`,
      );
  }

  function carryOut({ id, verdict }: PacketVerdict): void {
    // From its first rule on, as a packet that nobody has marked.
    if (verdict === "passes") queue.verdict(id, "repeat", 0);
    else queue.verdict(id, "drop");
  }

  function again(): void {
    timer = undefined;
    contain(judgeNow, told);
  }

  const unwatch = options.readiness.watch(queue.fd, contained(serve, told));
  return {
    judge: () => contain(judgeNow, told),
    close() {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      unwatch();
      queue.close();
    },
  };
}
