// Which ports of the host are settled: ports of sandboxes whose standing is known, with everything that follows from it
// in the kernel, and ports of no container. Packets from any other port wait (packets/unsettled-queue.ts) until it is
// settled: here is what is known of ports, which has no deadline.

import type { PortState } from "../../core/askers/unsettled.ts";
import { openSettledPorts, type SettledPorts } from "../../edge/kernel/nftables/host/settled-ports.ts";
import type { Port, Ports } from "../../edge/sandbox/ports/ports.ts";

export interface SettlingOptions {
  readonly ports: Pick<Ports, "strangerAt" | "ownerOf" | "isPresent">;
  /** Whether every sandbox that there is was seen. */
  readonly isComplete: () => boolean;
  readonly nowMs: () => number;
}

/** Where a sandbox stands, as it is to be known of its ports. */
export interface JudgedPorts {
  readonly sandbox: string;
  readonly its: readonly Port[];
  readonly state: PortState;
}

export interface Settling {
  /** From now on what comes by ports that are not settled is marked; to be called again before the time has run out. */
  stayAwake(ms: number): void;
  /** Where sandboxes stand, with all in the kernel that this demands. */
  judged(all: readonly JudgedPorts[]): void;
  /** What is known of the sender of a packet that came by a port before it was settled. */
  stateOf(index: number): PortState;
  gone(sandbox: string): void;
  /** Forgets ports that are no more. */
  retain(): void;
  heal(): void;
  close(): void;
}

/**
 * The other end of a pair that an engine makes is in our own namespace before it goes into its sandbox. One that has
 * stayed here for so long stays.
 */
const stayedMs = 10_000;

export function createSettling({ ports, isComplete, nowMs }: SettlingOptions): Settling {
  const states = new Map<string, PortState>();
  const table: SettledPorts = openSettledPorts();
  /** Since when pairs are known that lead to no sandbox. */
  const metAtMs = new Map<number, number>();

  function stateOfStranger(index: number): PortState {
    const stranger = ports.strangerAt(index);
    if (stranger === undefined) return "gone";
    if (stranger.leads === "nowhere") return settled(index);
    if (stranger.leads === "elsewhere") return isComplete() ? settled(index) : "unknown";
    const since = metAtMs.get(index) ?? nowMs();
    metAtMs.set(index, since);
    // It was sent from our own namespace.
    return nowMs() - since >= stayedMs ? settled(index) : "open";
  }

  function settled(index: number): "open" {
    metAtMs.delete(index);
    table.settle([index]);
    return "open";
  }

  return {
    stayAwake: (ms) => table.stayAwake(ms),
    judged(all) {
      for (const { sandbox, state } of all) states.set(sandbox, state);
      table.unsettle(indexesOf(all.filter(({ state }) => state === "unknown")));
      table.settle(indexesOf(all.filter(({ state }) => state !== "unknown")));
    },
    stateOf(index) {
      if (!ports.isPresent(index)) return "gone";
      const owner = ports.ownerOf(index);
      return owner === undefined ? stateOfStranger(index) : (states.get(owner) ?? "unknown");
    },
    // What it sent last may come by its ports still.
    gone: (sandbox) => void states.delete(sandbox),
    retain() {
      for (const index of metAtMs.keys()) if (!ports.isPresent(index)) metAtMs.delete(index);
      table.retain((index) => ports.isPresent(index));
    },
    heal: () => table.heal(),
    close: () => table.close(),
  };
}

const indexesOf = (all: readonly JudgedPorts[]): readonly number[] =>
  all.flatMap(({ its }) => its.map(({ index }) => index));
