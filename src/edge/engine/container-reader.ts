// Reads single containers. The engine keeps a reader waiting while it starts the container, and for as long as its shim
// hangs. Such a reading does not hold up others. It goes on until it is answered, because asking again would only leave
// one more reader waiting in the engine.

import type { Container } from "../../core/model/topology.ts";
import { messageOf } from "../../errors.ts";

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
  stop(): void;
}

/** Readings that the engine has to answer at a time, not counting slow ones. */
const atOnce = 64;
/** A reading that was lost on its way is given up and made anew. */
const giveUpAfterMs = 60_000;

interface Run {
  ended: Promise<void>;
  /** The one after it, once somebody has asked for it. */
  next: Promise<void> | undefined;
  readonly abort: AbortController;
}

export function createContainerReader(options: ContainerReaderOptions): ContainerReader {
  const runs = new Map<string, Run>();
  const unread = new Map<string, string>();
  const queue: (() => void)[] = [];
  let active = 0;
  let stopped = false;

  function leave(): void {
    active -= 1;
    queue.shift()?.();
  }

  /** Resolves to what gives the place back, once. */
  async function place(): Promise<() => void> {
    if (active >= atOnce) await new Promise<void>((resolve) => queue.push(resolve));
    active += 1;
    let left = false;
    return () => {
      if (!left) leave();
      left = true;
    };
  }

  function fail(id: string, why: string): void {
    if (stopped) return;
    unread.set(id, why);
    options.onUnread();
  }

  async function readNow(id: string, abort: AbortController): Promise<void> {
    const give = await place();
    const slow = setTimeout(() => {
      give();
      fail(id, `the engine has not answered within ${options.slowAfterMs / 1000} s`);
    }, options.slowAfterMs);
    const begunAtMs = options.nowMs();
    const stamp = options.stampOf(id);
    try {
      const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(giveUpAfterMs)]);
      const container = await options.inspect(id, signal);
      if (abort.signal.aborted) return;
      if (unread.delete(id)) options.onUnread();
      options.onRead({ id, container, begunAtMs, stamp });
    } catch (error) {
      if (!abort.signal.aborted) fail(id, messageOf(error));
    } finally {
      clearTimeout(slow);
      give();
    }
  }

  function start(id: string): Promise<void> {
    const abort = new AbortController();
    const run: Run = { abort, next: undefined, ended: Promise.resolve() };
    runs.set(id, run);
    run.ended = readNow(id, abort).finally(() => {
      if (runs.get(id) === run && run.next === undefined) runs.delete(id);
    });
    return run.ended;
  }

  function request(id: string): Promise<void> {
    const run = runs.get(id);
    if (run === undefined) return start(id);
    run.next ??= run.ended.then(() => (run.abort.signal.aborted ? undefined : start(id)));
    return run.next;
  }

  function end(id: string): void {
    runs.get(id)?.abort.abort();
    runs.delete(id);
  }

  return {
    read: (id) => (stopped ? Promise.resolve() : atMost(request(id), options.slowAfterMs)),
    forget(id) {
      end(id);
      if (unread.delete(id)) options.onUnread();
    },
    unread: () => unread,
    stop() {
      stopped = true;
      for (const id of [...runs.keys()]) end(id);
    },
  };
}

async function atMost(work: Promise<void>, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}
