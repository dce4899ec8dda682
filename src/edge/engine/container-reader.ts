// Reads single containers. The engine keeps a reader waiting while it starts the container, and for as long as its shim
// hangs. Such a reading does not hold up others. It goes on until it is answered, because asking again would only leave
// one more reader waiting in the engine.

import { contained, type OnFailure } from "../../core/contain.ts";
import type { Container } from "../../core/model/topology.ts";
import { messageOf } from "../../errors.ts";
import { ReadingPlaces } from "./reading-places.ts";

export interface ContainerReading {
  readonly id: string;
  /** Undefined when there is none of that id. */
  readonly container: Container | undefined;
  readonly begunAtMs: number;
  /** What `stampOf` said when it began. */
  readonly stamp: string | undefined;
}

export interface ContainerReaderOptions {
  readonly inspect: (id: string, signal: AbortSignal) => Promise<Container | undefined>;
  readonly nowMs: () => number;
  readonly stampOf: (id: string) => string | undefined;
  readonly onRead: (reading: ContainerReading) => void;
  /** Called when one more cannot be read, or one less. */
  readonly onUnread: () => void;
  readonly onFailure: OnFailure;
  /** How long a reading may take until its container counts as one that cannot be read, milliseconds. */
  readonly slowAfterMs: number;
}

export interface ContainerReader {
  /** Resolves when a reading that began after this call has ended, or is slow. Never rejects. */
  read(id: string): Promise<void>;
  /** It is gone: what is still read of it counts for nothing. */
  forget(id: string): void;
  /** Those that cannot be read, and why. */
  unread(): ReadonlyMap<string, string>;
  /** Whether any is being read, apart from those. */
  isReading(): boolean;
  stop(): void;
}

/** Readings that the engine has to answer at a time, not counting slow ones. */
const atOnce = 64;
/** A reading that was lost on its way is given up and made anew. */
const giveUpAfterMs = 60_000;

interface Run {
  ended: Promise<void>;
  /** The one after it, once a caller has asked for it. */
  next: Promise<void> | undefined;
  readonly abort: AbortController;
}

export function createContainerReader(options: ContainerReaderOptions): ContainerReader {
  return new SingleReader(options);
}

class SingleReader implements ContainerReader {
  readonly #options: ContainerReaderOptions;
  readonly #runs = new Map<string, Run>();
  readonly #unread = new Map<string, string>();
  readonly #places = new ReadingPlaces(atOnce);
  #isStopped = false;

  constructor(options: ContainerReaderOptions) {
    this.#options = options;
  }

  read(id: string): Promise<void> {
    return this.#isStopped ? Promise.resolve() : atMost(this.#request(id), this.#options.slowAfterMs);
  }

  forget(id: string): void {
    this.#end(id);
    if (this.#unread.delete(id)) this.#options.onUnread();
  }

  unread(): ReadonlyMap<string, string> {
    return this.#unread;
  }

  isReading(): boolean {
    return [...this.#runs.keys()].some((id) => !this.#unread.has(id));
  }

  stop(): void {
    this.#isStopped = true;
    for (const id of [...this.#runs.keys()]) this.#end(id);
  }

  #request(id: string): Promise<void> {
    const run = this.#runs.get(id);
    if (run === undefined) return this.#start(id);
    run.next ??= run.ended.then(() => (run.abort.signal.aborted ? undefined : this.#start(id)));
    return run.next;
  }

  #start(id: string): Promise<void> {
    const abort = new AbortController();
    const run: Run = { abort, next: undefined, ended: Promise.resolve() };
    this.#runs.set(id, run);
    run.ended = this.#readNow(id, abort).finally(() => {
      if (this.#runs.get(id) === run && run.next === undefined) this.#runs.delete(id);
    });
    return run.ended;
  }

  #end(id: string): void {
    this.#runs.get(id)?.abort.abort();
    this.#runs.delete(id);
  }

  async #readNow(id: string, abort: AbortController): Promise<void> {
    const { slowAfterMs, nowMs, stampOf, inspect, onRead, onUnread, onFailure } = this.#options;
    const give = await this.#places.take();
    const noteSlow = (): void => {
      give();
      this.#fail(id, `the engine has not answered within ${slowAfterMs / 1000} s`);
    };
    const slow = setTimeout(contained(noteSlow, onFailure), slowAfterMs);
    const begunAtMs = nowMs();
    const stamp = stampOf(id);
    try {
      const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(giveUpAfterMs)]);
      const container = await inspect(id, signal);
      if (abort.signal.aborted) return;
      if (this.#unread.delete(id)) onUnread();
      onRead({ id, container, begunAtMs, stamp });
    } catch (error) {
      if (!abort.signal.aborted) this.#fail(id, messageOf(error));
    } finally {
      clearTimeout(slow);
      give();
    }
  }

  #fail(id: string, why: string): void {
    if (this.#isStopped) return;
    this.#unread.set(id, why);
    this.#options.onUnread();
  }
}

async function atMost(work: Promise<void>, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}
