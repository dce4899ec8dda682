// The open flows that one who had an address before has left there: stamped as they are, packets of its heir would pass
// by them. They are cleared before anything may be sent from there, and until that succeeds nothing may.

import { contain, type OnFailure } from "../../core/contain.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { messageOf } from "../../errors.ts";

export interface FormerFlowsOptions {
  /** The addresses that an earlier run did not come to clear, and whose they are. */
  readonly uncleared: ReadonlyMap<IpAddress, string>;
  /** Has nothing pass any more by flows that began or came in at these addresses. */
  readonly disown: (addresses: ReadonlySet<IpAddress>) => void;
  /** The addresses at which stamped flows have begun. */
  readonly stampedSources: () => ReadonlySet<IpAddress>;
  /** Whether an address is a sandbox's. */
  readonly isHeld: (address: IpAddress) => boolean;
  /** What could not be cleared at once has been cleared, of an address of this sandbox. */
  readonly onCleared: (sandbox: string) => void;
  readonly after: (ms: number, work: () => void, onFailure: OnFailure) => void;
  readonly onProblem: (problem: string) => void;
}

const retryMs = 1_000;
/** Addresses without a holder that are remembered; of more the kernel is asked again. */
const mostLeft = 16_384;

export class FormerFlows {
  readonly #options: FormerFlowsOptions;
  /**
   * Addresses at which flows may be left, and by whom, where that is known; undefined while the kernel must be asked. What
   * is not in it needs no look at the flows, which takes the kernel 10 ms.
   */
  #left: Map<IpAddress, string | undefined> | undefined;
  /** Who waits for an address. */
  readonly #waiting: Map<IpAddress, string>;
  #retries = false;

  constructor(options: FormerFlowsOptions) {
    this.#options = options;
    this.#waiting = new Map(options.uncleared);
  }

  /** A sandbox has an address no longer. */
  leave(address: IpAddress, sandbox: string): void {
    // If it never was clear, it is not known whose flows there are.
    const isClear = !this.#waiting.delete(address);
    if ((this.#left?.size ?? 0) >= mostLeft) this.#left = undefined;
    this.#left?.set(address, isClear ? sandbox : undefined);
  }

  /**
   * Other policies are in use: who comes again to an address that it has left is judged anew, as they may not allow what is
   * open there.
   */
  judgeAnew(): void {
    for (const address of this.#left?.keys() ?? []) this.#left?.set(address, undefined);
  }

  /** A sandbox has an address now; nothing may be sent from there until clear() has said so. */
  come(address: IpAddress, sandbox: string): void {
    this.#waiting.set(address, sandbox);
  }

  /** @returns those of these addresses at which nothing is left of a former holder */
  clear(addresses: readonly IpAddress[]): readonly IpAddress[] {
    if (!addresses.some((address) => this.#waiting.has(address))) return addresses;
    try {
      this.#clear(addresses);
    } catch (error) {
      this.#retryLater(messageOf(error));
    }
    return addresses.filter((address) => !this.#waiting.has(address));
  }

  #clear(addresses: readonly IpAddress[]): void {
    this.#left ??= this.#read();
    const left = this.#left;
    const waiting = addresses.filter((address) => this.#waiting.has(address));
    // Its own go on where it takes an address off and puts it on again under the same policies.
    const strange = waiting.filter(
      (address) => left.has(address) && left.get(address) !== this.#waiting.get(address),
    );
    if (strange.length > 0) this.#options.disown(new Set(strange));
    for (const address of waiting) {
      left.delete(address);
      this.#waiting.delete(address);
    }
  }

  #read(): Map<IpAddress, undefined> {
    const { stampedSources, isHeld } = this.#options;
    const left = [...stampedSources()].filter((source) => this.#waiting.has(source) || !isHeld(source));
    return new Map(left.map((source) => [source, undefined]));
  }

  #retryLater(cause: string): void {
    if (this.#retries) return;
    this.#retries = true;
    const { onProblem } = this.#options;
    const places = [...this.#waiting.keys()].join(", ");
    onProblem(
      `open flows of an earlier container at ${places} could not be cleared (${cause}): nothing may leave from there by a guarded port until they are; this is tried again every second`,
    );
    this.#time();
  }

  #time(): void {
    const { after } = this.#options;
    after(retryMs, () => this.#retry(), this.#tell);
  }

  #retry(): void {
    const { onCleared } = this.#options;
    const waiting = new Map(this.#waiting);
    try {
      this.#clear([...waiting.keys()]);
    } catch {
      // It has been told.
      this.#time();
      return;
    }
    this.#retries = false;
    for (const sandbox of new Set(waiting.values())) contain(() => onCleared(sandbox), this.#tell);
  }

  readonly #tell = (error: unknown): void => this.#options.onProblem(messageOf(error));
}
