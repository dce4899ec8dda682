// What the kernel lets through the ports of each sandbox: what may come in by them, and whether anything may.

import type { AskerIndex } from "../../core/askers/index-of-askers.ts";
import type { Cut } from "../../core/cut.ts";
import { cutOfAll } from "../../core/cut.ts";
import type { PortTable } from "../../edge/kernel/nftables/port-table.ts";
import type { Port } from "../../edge/sandbox/ports/ports.ts";
import { type Attempt, portsOf } from "./attempt.ts";
import type { SenderAddresses } from "./senders.ts";

export interface PortGuardsOptions {
  /** Undefined where what comes in by ports is not guarded there. */
  readonly table: PortTable | undefined;
  readonly networkOn: AskerIndex["networkOn"];
  /** Cuts a sandbox off inside of it, where that cannot be done at its ports. */
  readonly cutInside: (sandbox: string, cut: boolean) => void;
  readonly isCutInside: (sandbox: string) => boolean;
  readonly attempt: Attempt;
}

export class PortGuards {
  readonly #options: PortGuardsOptions;
  #table: PortTable | undefined;

  constructor(options: PortGuardsOptions) {
    this.#options = options;
    this.#table = options.table;
  }

  /** Whether ports are guarded at all: not after release(). */
  get areInForce(): boolean {
    return this.#table !== undefined;
  }

  /** @returns whether all of it is in force */
  put(sandbox: string, its: readonly Port[], may: SenderAddresses, isGuarded: boolean): boolean {
    return this.#options.attempt(portsOf(sandbox), () => {
      for (const port of its) {
        if (isGuarded) this.#guard(port, may);
        else this.#table?.open(port.index);
      }
    });
  }

  cut(sandbox: string, its: readonly Port[], cut: boolean): void {
    const { attempt, cutInside } = this.#options;
    attempt(portsOf(sandbox), () => {
      const table = this.#table;
      const bothWays = table !== undefined && its.map((port) => table.cut(port, cut)).every((both) => both);
      if (!bothWays) cutInside(sandbox, cut);
    });
  }

  /** How far it is cut off by its ports and inside, read from the kernel; without a port it is not known to be wholly. */
  cutOf(sandbox: string, its: readonly Port[]): Cut {
    const atPorts = cutOfAll(its.map(({ index }) => this.#table?.cutOf(index) ?? "none"));
    if (atPorts === "whole" || !this.#options.isCutInside(sandbox)) return atPorts;
    return its.length === 0 ? "partly" : "whole";
  }

  retain(isPresent: (index: number) => boolean): void {
    this.#options.attempt("ports that are gone", () => this.#table?.retain(isPresent));
  }

  /** Puts back what somebody took away. */
  heal(): void {
    this.#options.attempt("the host's ports", () => this.#table?.heal());
  }

  /** Lets everything pass by every port, and guards none from now on. */
  release(): void {
    const table = this.#table;
    this.#table = undefined;
    try {
      table?.remove();
    } finally {
      // As long as it is ours, nobody else can remove it.
      table?.close();
    }
  }

  /** The kernel keeps everything, for who comes next. */
  close(): void {
    this.#table?.close();
  }

  #guard(port: Port, { senders, linkLocal }: SenderAddresses): void {
    if (port.bridge === undefined) return;
    const network = this.#options.networkOn(port.bridge);
    this.#table?.guard(port, {
      senders,
      neighbourhood: network?.subnets ?? [],
      linkLocal: linkLocal.get(port.bridge) ?? [],
      linkLocalMay: network?.guarded === true ? "judged" : "discovery",
    });
  }
}
