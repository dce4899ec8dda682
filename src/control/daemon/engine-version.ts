// Which version of the engine answers. With live-restore one ends and another takes over its containers, and we run on.

import type { Engine } from "../../edge/engine/engine.ts";
import type { Log } from "../../edge/host/log.ts";

export type Version = Awaited<ReturnType<Engine["version"]>>;

export interface EngineVersion {
  /** As it was last read. */
  current(): Version;
  /** Another engine may answer from now on. */
  mayDiffer(): void;
  /** Reads it again if it may differ; what cannot be read now is read when this is called the next time. Never rejects. */
  follow(): Promise<void>;
}

export interface EngineVersionOptions {
  readonly engine: Pick<Engine, "version">;
  readonly log: Pick<Log, "info">;
  readonly first: Version;
}

export function createEngineVersion({ engine, log, first }: EngineVersionOptions): EngineVersion {
  let current = first;
  /** How often another one may have come, and how often it had when the last reading began. */
  let changes = 0;
  let read = 0;
  return {
    current: () => current,
    mayDiffer() {
      changes += 1;
    },
    async follow() {
      const asked = changes;
      if (asked === read) return;
      const version = await engine.version().catch(() => undefined);
      // What another one has said meanwhile is not known to be younger.
      if (version === undefined || asked !== changes) return;
      read = asked;
      if (version.version !== current.version)
        log.info("engine has another version", { version: version.version });
      current = version;
    },
  };
}
