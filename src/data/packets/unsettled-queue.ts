// The queue in which packets from unsettled ports wait. However late we are, they wait: we look which ports exist by
// then, capture what is not captured, and know for each port whether it may be a guarded container's.

import { judgePort, type PortState } from "../../core/askers/unsettled.ts";
import { contain, contained } from "../../core/contain.ts";
import { declareCounter } from "../../core/counters/registry.ts";
import { unsettledMark, unsettledQueueNumber } from "../../core/firewall/names.ts";
import type { QueuedPacket } from "../../core/queued-packet.ts";
import { Waiting } from "../../core/waiting.ts";
import { after } from "../../edge/host/every.ts";
import { openOwnQueue, type PacketQueue } from "../../edge/kernel/flows/queue.ts";
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
  /** A sender is not classified yet: the engine must be read. */
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
/** How often what waits is judged again, ms, as a sandbox may have come without a word of the engine's. */
const againEveryMs = 20;
/** How long a packet waits until it is known whose it is, ms: longer than a busy host takes to read its engine. */
const knownWithinMs = 10_000;
/** Of one port, so that none of them fills the queue of all. */
const heldAtMost = 256;

/** Begins to take packets. */
export function startUnsettledQueue(options: UnsettledQueueOptions): UnsettledQueue {
  return new KernelUnsettledQueue(options);
}

class KernelUnsettledQueue implements UnsettledQueue {
  readonly #options: UnsettledQueueOptions;
  readonly #queue: PacketQueue;
  readonly #packets: Waiting;
  /** What is known of ports, as long as one look at them counts. */
  readonly #states = new Map<number, PortState>();
  readonly #unwatch: () => void;
  /** Refused since the last report of it. */
  #late = 0;
  #isClosed = false;

  constructor(options: UnsettledQueueOptions) {
    this.#options = options;
    this.#packets = new Waiting({
      perAsker: heldAtMost,
      inAll: maxLength,
      againEveryMs,
      look: () => this.#look(),
      nowMs: options.nowMs,
      after,
      onFailure: this.#tell,
    });
    this.#queue = openOwnQueue({ number: unsettledQueueNumber(options.queueNumber), maxLength, copyBytes });
    const serve = contained(() => this.#serve(), this.#tell);
    this.#unwatch = options.readiness.watch(this.#queue.fd, serve);
  }

  judge(): void {
    if (this.#isClosed) return;
    this.#packets.judge();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#packets.end();
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
    this.judge();
    if (this.#packets.size > 0) this.#options.onUnknown();
  }

  /** It waits for the look that follows: what was known before may be over. */
  #take({ id, mark }: QueuedPacket): void {
    const port = (mark ^ unsettledMark) >>> 0;
    const isPlaced = this.#packets.add({
      asker: String(port),
      deadlineAtMs: this.#options.nowMs() + knownWithinMs,
      decide: () => this.#decide(id, port),
      refuse: () => this.#drop(id, port),
    });
    if (isPlaced) return;
    dropped.add();
    contain(() => this.#queue.verdict(id, "drop"), this.#tell);
  }

  #look(): void {
    this.#states.clear();
    this.#options.lookNow();
  }

  #decide(id: number, port: number): "decided" | "waits" {
    const state = this.#states.get(port) ?? this.#options.stateOf(port);
    this.#states.set(port, state);
    const verdict = judgePort(state);
    if (verdict === "waits") return "waits";
    // From its first rule on, as a packet that nobody has marked.
    if (verdict === "passes") this.#queue.verdict(id, "repeat", 0);
    else this.#queue.verdict(id, "drop");
    return "decided";
  }

  /** Nothing settled it in time, or deciding failed. */
  #drop(id: number, port: number): void {
    this.#queue.verdict(id, "drop");
    dropped.add();
    if (this.#states.get(port) !== "unknown") return;
    if (this.#late === 0) setImmediate(contained(() => this.#tellLate(), this.#tell));
    this.#late++;
  }

  #tellLate(): void {
    const late = this.#late;
    this.#late = 0;
    this.#options.onProblem(
      `${late} packets of a new container were dropped: the engine did not say in time whether it is on a guarded network`,
    );
  }

  readonly #tell = (error: unknown): void =>
    this.#options.onProblem(`packets of new containers: ${messageOf(error)}`);
}
