// What the engine that answers says of itself. With live-restore one ends and another takes over its containers, and we run
// on.

import type { Engine } from "../../edge/engine/engine.ts";
import type { Log } from "../../edge/host/log.ts";

export type Version = Awaited<ReturnType<Engine["version"]>>;

export interface EngineVersion {
  /** As it was last read. */
  current(): Version;
  /** Whether containers live on when it ends, as it was last read; false until then. */
  keepsContainers(): boolean;
  /** Another engine may answer from now on, or the same one with other settings. */
  mayDiffer(): void;
  /** Reads it again if it may differ; what cannot be read now is read when this is called the next time. Never rejects. */
  follow(): Promise<void>;
}

export interface EngineVersionOptions {
  readonly engine: Pick<Engine, "version" | "keepsContainers">;
  readonly log: Pick<Log, "info">;
  readonly first: Version;
}

export function createEngineVersion({ engine, log, first }: EngineVersionOptions): EngineVersion {
  const version = new EngineAnswer(
    () => engine.version(),
    first,
    (next, before) => {
      if (next.version !== before.version) log.info("engine has another version", { version: next.version });
    },
  );
  const keeps = new EngineAnswer(() => engine.keepsContainers(), false);
  keeps.mayDiffer();
  return {
    current: () => version.current,
    keepsContainers: () => keeps.current,
    mayDiffer() {
      version.mayDiffer();
      keeps.mayDiffer();
    },
    follow: async () => {
      await Promise.all([version.follow(), keeps.follow()]);
    },
  };
}

/** Something that an engine says. */
class EngineAnswer<T> {
  readonly #ask: () => Promise<T>;
  readonly #onRead: (next: T, before: T) => void;
  #current: T;
  /** How often another engine may have come, and how often it had when the last reading began. */
  #changes = 0;
  #read = 0;

  constructor(ask: () => Promise<T>, first: T, onRead: (next: T, before: T) => void = () => undefined) {
    this.#ask = ask;
    this.#current = first;
    this.#onRead = onRead;
  }

  get current(): T {
    return this.#current;
  }

  mayDiffer(): void {
    this.#changes += 1;
  }

  async follow(): Promise<void> {
    const asked = this.#changes;
    if (asked === this.#read) return;
    const answer = await this.#ask().catch(() => undefined);
    // What another one has said meanwhile is not known to be younger.
    if (answer === undefined || asked !== this.#changes) return;
    this.#read = asked;
    const before = this.#current;
    this.#current = answer;
    this.#onRead(answer, before);
  }
}
